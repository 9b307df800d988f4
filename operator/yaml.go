package operator

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Decode reads YAML into v, which holds the defaults, and reports every key
// that v does not know, with the nearest name that it does. Its error is
// *[Faults]; its tree is for [Faults.Locate].
func Decode(file string, data []byte, v any) (*ast.File, error) {
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxFault(file, err)
	}
	bad := &Faults{File: file}
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			unknownKeys(bad, "", doc.Body, reflect.TypeOf(v).Elem())
		}
	}
	if len(bad.List) > 0 {
		return nil, bad
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(v); err != nil && len(bytes.TrimSpace(data)) > 0 {
		return nil, syntaxFault(file, err)
	}
	return tree, nil
}

// syntaxFault turns the library's error into a line and a sentence.
func syntaxFault(file string, err error) error {
	var e yaml.Error
	f := Fault{Text: err.Error()}
	if errors.As(err, &e) {
		f.Text = e.GetMessage()
		if t := e.GetToken(); t != nil {
			f.Line = t.Position.Line
		}
	}
	return &Faults{File: file, List: []Fault{f}}
}

// unknownKeys walks the written tree beside the type it is meant for.
func unknownKeys(bad *Faults, path string, node ast.Node, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.InterfaceUnmarshaler]()) ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.BytesUnmarshaler]()) {
		return // it reads itself, and strictly
	}
	switch n := node.(type) {
	case *ast.SequenceNode:
		if t.Kind() == reflect.Slice {
			for i, item := range n.Values {
				unknownKeys(bad, fmt.Sprintf("%s[%d]", path, i), item, t.Elem())
			}
		}
	case ast.MapNode:
		iter := n.MapRange()
		for iter.Next() {
			key := iter.Key().String()
			below := join(path, key)
			switch t.Kind() {
			case reflect.Map:
				unknownKeys(bad, below, iter.Value(), t.Elem())
			case reflect.Struct:
				field, names := fieldOf(t, key)
				if field == nil {
					bad.List = append(bad.List, Fault{below, iter.Key().GetToken().Position.Line, "unknown key" + suggestion(key, names)})
					continue
				}
				unknownKeys(bad, below, iter.Value(), field)
			}
		}
	}
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

const envPrefix = "MARKAZ_"

// Override puts values of the environment into v: MARKAZ_ASTERISK__ARI__PASSWORD
// is asterisk.ari.password. It is meant for secrets and for containers.
func Override(environ []string, v any) error {
	var errs []error
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		path, ok := strings.CutPrefix(name, envPrefix)
		if !ok || !strings.Contains(path, "__") {
			continue
		}
		if err := setPath(reflect.ValueOf(v).Elem(), strings.Split(strings.ToLower(path), "__"), value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func setPath(v reflect.Value, path []string, text string) error {
	if len(path) == 0 {
		return setText(v, text)
	}
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("there is nothing below %q", path[0])
	}
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if tag == path[0] {
			return setPath(v.Field(i), path[1:], text)
		}
	}
	return fmt.Errorf("unknown key %q", path[0])
}

func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		v.SetInt(int64(d))
		return err
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		v.SetInt(n)
		return err
	}
	return fmt.Errorf("a %s cannot be set from the environment", v.Kind())
}

// ReadFile reads a configuration file of sane size.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if info.Size() > 4<<20 {
		return nil, fmt.Errorf("read configuration: %s has %d bytes, at most 4 MiB make sense", path, info.Size())
	}
	return os.ReadFile(path)
}
