package dialplan_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"markaz/dialplan"
)

var site = dialplan.Options{
	AGI: "127.0.0.1:4573", App: "markaz", Lease: 10, Fallback: "extension:100",
	Extension: "PJSIP/{address}", Trunk: "PJSIP/{number}@trunk", Digits: []int{3, 4},
}

func render(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := dialplan.Render(&b, site); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// constants reads names.go: name → value.
func constants(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "names.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range v.Names {
			s, err := strconv.Unquote(v.Values[i].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out[name.Name] = s
		}
		return true
	})
	return out
}

// Every name that Go knows is in the shipped file, and the reverse.
func TestNamesAgree(t *testing.T) {
	text := render(t)
	names := constants(t)
	// Written by Markaz on the channel over ARI or FastAGI, read by nobody in the dialplan.
	ours := []string{"VarCall", "VarState", "DoneRefused", "EntryLeg"}
	var values []string
	for name, value := range names {
		values = append(values, value)
		if slices.Contains(ours, name) {
			continue
		}
		if !regexp.MustCompile(`(^|[^A-Za-z0-9_-])` + regexp.QuoteMeta(value) + `($|[^A-Za-z0-9_-])`).MatchString(text) {
			t.Errorf("%s = %q is not in the dialplan", name, value)
		}
	}
	for _, found := range regexp.MustCompile(`MARKAZ_[A-Z]+|\[(markaz-[a-z-]+)\]`).FindAllStringSubmatch(text, -1) {
		name := found[0]
		if found[1] != "" {
			name = found[1]
		}
		if !slices.Contains(values, name) {
			t.Errorf("%s is in the dialplan but not in names.go", name)
		}
	}
}

// A Goto or Gosub that leads nowhere would drop a caller.
func TestEveryJumpHasATarget(t *testing.T) {
	text := render(t)
	for _, m := range regexp.MustCompile(`(?:Goto|Gosub)\((markaz-[a-z-]+),`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, "["+m[1]+"]") {
			t.Errorf("jump to [%s], which is not there", m[1])
		}
	}
}

func TestOptionsAreRefusedInWords(t *testing.T) {
	for name, change := range map[string]func(*dialplan.Options){
		"lease 0":                func(o *dialplan.Options) { o.Lease = 0 },
		`fallback "nowhere"`:     func(o *dialplan.Options) { o.Fallback = "nowhere" },
		`fallback "extension:1,`: func(o *dialplan.Options) { o.Fallback = "extension:1,System(id)" },
		`application "a)"`:       func(o *dialplan.Options) { o.App = "a)" },
		`FastAGI address "x"`:    func(o *dialplan.Options) { o.AGI = "x" },
		`trunk "PJSIP/x"`:        func(o *dialplan.Options) { o.Trunk = "PJSIP/x" },
	} {
		o := site
		change(&o)
		err := dialplan.Render(&bytes.Buffer{}, o)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/markaz.conf")
	if err != nil || string(want) != render(t) {
		if os.Getenv("UPDATE") != "" {
			_ = os.MkdirAll("testdata", 0o755)
			if err := os.WriteFile("testdata/markaz.conf", []byte(render(t)), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Errorf("the rendered file differs from testdata/markaz.conf (%v); run UPDATE=1 go test and look at the difference", err)
	}
}
