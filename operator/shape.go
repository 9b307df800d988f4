package operator

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// shape walks the written tree beside the type it is meant for, and notes keys
// that the type does not have and values of another kind: the library would
// stop at the first, and speak of Go.
func shape(bad *Faults, path string, node ast.Node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if readsItself(t) || t.Kind() == reflect.Interface {
		return
	}
	misfit := func(have string) {
		bad.List = append(bad.List, Fault{Path: path, Line: node.GetToken().Position.Line, Text: "want " + wanted(t) + ", have " + have})
	}
	switch n := node.(type) {
	case *ast.NullNode:
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			misfit("a list")
			return
		}
		for i, item := range n.Values {
			shape(bad, fmt.Sprintf("%s[%d]", path, i), item, t.Elem())
		}
	case ast.MapNode:
		if t.Kind() != reflect.Map && t.Kind() != reflect.Struct {
			misfit("keys and values")
			return
		}
		keys(bad, path, n, t)
	case ast.ScalarNode:
		if text := n.GetToken().Value; !fits(n, text, t) {
			misfit(fmt.Sprintf("%.40q", text))
		}
	}
}

// keys walks what is below a node.
func keys(bad *Faults, path string, n ast.MapNode, t reflect.Type) {
	iter := n.MapRange()
	for iter.Next() {
		key := iter.Key().String()
		below := join(path, key)
		if t.Kind() == reflect.Map {
			shape(bad, below, iter.Value(), t.Elem())
			continue
		}
		field, names := fieldOf(t, key)
		if field == nil {
			bad.List = append(bad.List, Fault{Path: below, Line: iter.Key().GetToken().Position.Line, Text: "unknown key" + suggestion(key, names)})
			continue
		}
		shape(bad, below, iter.Value(), field)
	}
}

// readsItself reports whether a type reads its own form, and strictly.
func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) ||
		p.Implements(reflect.TypeFor[yaml.InterfaceUnmarshaler]()) ||
		p.Implements(reflect.TypeFor[yaml.BytesUnmarshaler]())
}

// fits reports whether a single value can be of a type. Numbers may stand
// where a text is wanted.
func fits(n ast.ScalarNode, text string, t reflect.Type) bool {
	_, whole := n.(*ast.IntegerNode)
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice:
		return false
	case reflect.Bool:
		_, ok := n.(*ast.BoolNode)
		return ok
	case reflect.Int64:
		if t == reflect.TypeFor[time.Duration]() {
			_, err := time.ParseDuration(text)
			return err == nil
		}
		return whole
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return whole
	case reflect.Float32, reflect.Float64:
		_, ok := n.(*ast.FloatNode)
		return ok || whole
	}
	return true
}

// wanted says what a type is written as.
func wanted(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a length of time such as 20s or 10m"
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "keys and values below it"
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// fieldOf finds the type behind a key, and all keys there are.
func fieldOf(t reflect.Type, key string) (reflect.Type, []string) {
	var found reflect.Type
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		tag, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if strings.Contains(opts, "inline") {
			in, more := fieldOf(f.Type, key)
			if names = append(names, more...); in != nil {
				found = in
			}
			continue
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		if tag == "" {
			tag = strings.ToLower(f.Name)
		}
		names = append(names, tag)
		if tag == key {
			found = f.Type
		}
	}
	return found, names
}

// suggestion names the known key that is nearest to a wrong one.
func suggestion(key string, names []string) string {
	best, least := "", 4
	for _, n := range names {
		if d := distance(key, n); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return "; known here: " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}
