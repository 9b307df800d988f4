package operator

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
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
// that v does not know, with the nearest name that it does, and every value of
// another kind than v wants. Its error is *[Faults]; its tree is for
// [Faults.Locate].
func Decode(file string, data []byte, v any) (*ast.File, error) {
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxFault(file, err)
	}
	bad := &Faults{File: file}
	written := false
	for _, doc := range tree.Docs {
		if _, remarks := doc.Body.(*ast.CommentGroupNode); doc.Body != nil && !remarks {
			written = true
			shape(bad, "", doc.Body, reflect.TypeOf(v).Elem())
		}
	}
	if len(bad.List) > 0 {
		return nil, bad
	}
	if !written { // the library would take the defaults away
		return tree, nil
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(v); err != nil {
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
		if strings.Contains(f.Text, "character '\t'") {
			f.Text = "a tab stands where blanks must: YAML is indented with blanks only"
		}
		if t := e.GetToken(); t != nil {
			f.Line = t.Position.Line
		}
	}
	return &Faults{File: file, List: []Fault{f}}
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
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read configuration: there is no file %s; name yours with --config", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("read configuration: %s is a folder; name the file in it with --config", path)
	}
	if info.Size() > 4<<20 {
		return nil, fmt.Errorf("read configuration: %s has %d bytes, at most 4 MiB make sense", path, info.Size())
	}
	return os.ReadFile(path)
}
