package ivr

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// sorted ranges over a map in the order of its keys, so that whatever is made
// of it comes out the same each time.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

// join adds names to a path in the configuration, "menus.main.keys.3". A name
// that is not plain is quoted.
func join(path string, names ...string) string {
	for _, name := range names {
		if path != "" {
			path += "."
		}
		if strings.ContainsFunc(name, notPlain) {
			name = "'" + name + "'"
		}
		path += name
	}
	return path
}

// notPlain reports what a path cannot hold without quotes.
func notPlain(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
}

// index adds a place in a list to a path, "routes[0]".
func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
