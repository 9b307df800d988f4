package operator

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Fault is one thing that is wrong with the configuration.
type Fault struct {
	Path string // keys joined by dots
	Line int    // in the file, 0 when the value is not written there
	Text string
	Env  string // the variable of the environment that the value comes from
}

// Faults are all of them; the operator mends them in one go.
type Faults struct {
	File string
	List []Fault
}

// FaultsOf is what a Validate found, with the lines of the file, or the
// variable of the environment that overrides them.
func FaultsOf(file string, tree *ast.File, err error) *Faults {
	f := &Faults{File: file, List: flatten("", err)}
	f.Locate(tree)
	for i := range f.List {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(f.List[i].Path, ".", "__"))
		if _, set := os.LookupEnv(name); set {
			f.List[i].Env = name
		}
	}
	return f
}

// Error has a line for each fault.
func (f *Faults) Error() string {
	var b strings.Builder
	for i, x := range f.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		switch {
		case x.Env != "":
			b.WriteString("environment variable " + x.Env)
		case x.Line > 0:
			fmt.Fprintf(&b, "%s:%d", f.File, x.Line)
		default:
			b.WriteString(f.File)
		}
		b.WriteString(": ")
		if x.Path != "" {
			b.WriteString(x.Path + ": ")
		}
		b.WriteString(x.Text)
	}
	return b.String()
}

// flatten takes apart what the rooms' Validate returned: errors joined with
// errors.Join and wrapped with "key: %w", each key being one step down.
func flatten(prefix string, err error) []Fault {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []Fault
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
			return []Fault{{Path: prefix, Text: text}}
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

// Locate finds the lines of the faults, and sorts by them; a key that is not
// written has the line of the nearest one above it.
func (f *Faults) Locate(file *ast.File) {
	defer slices.SortStableFunc(f.List, func(a, b Fault) int { return a.Line - b.Line })
	for i := range f.List {
		for path := f.List[i].Path; path != ""; {
			if line := lineOf(file, path); line > 0 {
				f.List[i].Line = line
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
