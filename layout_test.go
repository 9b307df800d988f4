// Package markaz holds no code: its one test enforces who may import whom.
package markaz

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the import table: a room, and the rooms of ours that its code
// outside tests may import. A room may always import its own sub-folders.
var mayImport = map[string][]string{
	"call":             {},
	"call/number":      {},
	"access":           {"call", "lang"},
	"lang":             {},
	"dialplan":         {},
	"operator":         {},
	"ivr":              {"call", "lang"},
	"queue":            {"call"},
	"recorder":         {"call"},
	"legacy":           {"call", "call/number"},
	"asterisk":         {"call", "dialplan"},
	"asterisk/testbed": {"call", "dialplan"},
	"stream":           {"call"},
	"apps":             {"access", "call", "lang", "ivr", "queue", "recorder"},
	"cmd":              {"*"},
}

// Only these rooms may import these libraries.
var onlyHere = map[string][]string{
	"github.com/CyCoreSystems/": {"asterisk"},
	"github.com/redis/":         {"stream", "asterisk/testbed"},
	"github.com/emiago/":        {"asterisk/testbed"},
}

func TestWhoImportsWhom(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		checkFile(t, path)
		return nil
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
}

func checkFile(t *testing.T, path string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	dir := filepath.ToSlash(filepath.Dir(path))
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		if why := forbidden(dir, imported); why != "" {
			t.Errorf("%s: %s", path, why)
		}
	}
}

// forbidden says why a folder may not import a path; "" if it may.
func forbidden(dir, imported string) string {
	room := roomOf(dir)
	for lib, rooms := range onlyHere {
		if strings.HasPrefix(imported, lib) && !slices.Contains(rooms, room) {
			return imported + " belongs to " + strings.Join(rooms, " and ") + " alone"
		}
	}
	ours, ok := strings.CutPrefix(imported, "markaz/")
	if !ok {
		return ""
	}
	allowed, known := mayImport[room]
	target := roomOf(ours)
	switch {
	case !known:
		return "the folder " + dir + " has no line in the import table"
	case slices.Contains(allowed, "*") && target != "cmd":
		return ""
	case room == "apps" && target == "apps":
		if ours == "apps" || sameApp(dir, ours) {
			return ""
		}
		return dir + " imports its sibling " + ours
	case room == target && (room != "cmd" || sameApp(dir, ours)), slices.Contains(allowed, target):
		return ""
	}
	return "room " + room + " may not import " + ours
}

// roomOf is the longest entry of the table that holds the folder.
func roomOf(dir string) string {
	best := strings.SplitN(dir, "/", 2)[0]
	for room := range mayImport {
		if (dir == room || strings.HasPrefix(dir, room+"/")) && len(room) > len(best) {
			best = room
		}
	}
	return best
}

// sameApp reports whether two folders are below the same second-level folder.
func sameApp(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	return len(x) > 1 && len(y) > 1 && x[1] == y[1]
}

// The check itself can fail.
func TestTheTableForbids(t *testing.T) {
	for _, c := range [][2]string{
		{"call", "markaz/queue"},
		{"queue", "markaz/ivr"},
		{"apps/crm", "markaz/apps/inbound"},
		{"apps/crm", "markaz/stream"},
		{"apps", "markaz/asterisk"},
		{"asterisk", "markaz/asterisk/testbed"},
		{"stream", "markaz/cmd/markaz"},
		{"cmd/markaz", "markaz/cmd/markaz-demo"},
		{"apps/crm", "github.com/redis/go-redis/v9"},
		{"nowhere", "markaz/call"},
	} {
		if forbidden(c[0], c[1]) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
	for _, c := range [][2]string{
		{"apps/crm", "markaz/apps"},
		{"apps/crm/conformance", "markaz/apps/crm"},
		{"asterisk", "markaz/asterisk/ari"},
		{"cmd/markaz", "markaz/stream"},
		{"queue", "fmt"},
	} {
		if why := forbidden(c[0], c[1]); why != "" {
			t.Errorf("%s may not import %s: %s", c[0], c[1], why)
		}
	}
}
