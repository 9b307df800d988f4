package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// fault is one thing that is wrong with the configuration.
type fault struct {
	path string // keys joined by dots
	line int    // in the file, 0 when the value is not written there
	text string
}

// faults are all of them; the operator mends them in one go.
type faults struct {
	file string
	list []fault
}

func (f *faults) Error() string {
	var b strings.Builder
	for i, x := range f.list {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.file)
		if x.line > 0 {
			fmt.Fprintf(&b, ":%d", x.line)
		}
		b.WriteString(": ")
		if x.path != "" {
			b.WriteString(x.path + ": ")
		}
		b.WriteString(x.text)
	}
	return b.String()
}

// flatten takes apart what the rooms' Validate returned: errors joined with
// errors.Join and wrapped with "key: %w", each key being one step down.
func flatten(prefix string, err error) []fault {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []fault
		for _, e := range many.Unwrap() {
			out = append(out, flatten(prefix, e)...)
		}
		return out
	}
	if inner := errors.Unwrap(err); inner != nil {
		if key, ok := strings.CutSuffix(err.Error(), ": "+inner.Error()); ok && isPath(key) {
			return flatten(join(prefix, key), inner)
		}
	}
	text := err.Error()
	for {
		key, rest, ok := strings.Cut(text, ": ")
		if !ok || !isPath(key) {
			return []fault{{path: prefix, text: text}}
		}
		prefix, text = join(prefix, key), rest
	}
}

func join(a, b string) string {
	if a == "" || strings.HasPrefix(b, "[") {
		return a + b
	}
	return a + "." + b
}

func isPath(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t\n\"'") && strings.ToLower(s) == s
}

// locate finds the lines of the faults, and sorts by them; a key that is not
// written has the line of the nearest one above it.
func (f *faults) locate(file *ast.File) {
	defer slices.SortStableFunc(f.list, func(a, b fault) int { return a.line - b.line })
	for i := range f.list {
		for path := f.list[i].path; path != ""; {
			if line := lineOf(file, path); line > 0 {
				f.list[i].line = line
				break
			}
			cut := strings.LastIndexAny(path, ".[")
			if cut < 0 {
				break
			}
			path = path[:cut]
		}
	}
}

func lineOf(file *ast.File, path string) int {
	p, err := yaml.PathString("$." + path)
	if err != nil {
		return 0
	}
	node, err := p.FilterFile(file)
	if err != nil || node == nil || node.GetToken() == nil {
		return 0
	}
	return node.GetToken().Position.Line
}
