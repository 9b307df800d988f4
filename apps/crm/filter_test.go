package crm

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"markaz/call"
)

// Ensure every kind of the vocabulary can be asked for, but for those that are
// never told.
func TestKindsAreComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../call/kind.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []call.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if lit, ok := v.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					all = append(all, call.Kind(s))
				}
			}
		}
		return true
	})
	if len(all) < 40 {
		t.Fatalf("only %d kinds read", len(all))
	}
	for _, k := range all {
		if got := slices.Contains(kinds(), k); got == k.Transient() {
			t.Errorf("%s: transient %v, can be asked for %v", k, k.Transient(), got)
		}
	}
}

func TestFilter(t *testing.T) {
	record := call.Call{
		ID: "c", Direction: call.Inbound, Line: call.Line{Trunk: "t1", DID: "021"},
		Legs: []call.Leg{{Role: call.RoleCaller, Address: "0912"}, {Role: call.RoleAgent, Address: "101"}, {Role: call.RoleGroup, Address: "600"}},
	}
	started := call.Event{Kind: call.CallStarted, Call: "c", Source: "pbx", Live: true}
	ended := call.Event{Kind: call.CallEnded, Call: "c", Source: "pbx", Live: false}
	for name, tc := range map[string]struct {
		f    Filter
		e    call.Event
		want bool
	}{
		"default":               {Filter{}, started, true},
		"transient":             {Filter{Events: []string{"leg.*"}}, call.Event{Kind: call.LegDigit, Call: "c"}, false},
		"spying is not public":  {Filter{}, call.Event{Kind: call.MonitorStarted, Call: "c"}, false},
		"spying when asked for": {Filter{Events: []string{"monitor.*"}}, call.Event{Kind: call.MonitorStarted, Call: "c"}, true},
		"agent states":          {Filter{}, call.Event{Kind: call.AgentChanged}, false},
		"pattern":               {Filter{Events: []string{"call.*"}}, started, true},
		"other pattern":         {Filter{Events: []string{"leg.*"}}, started, false},
		"finished, not yet":     {Filter{Route: Route{Only: OnlyFinished}}, started, false},
		"finished":              {Filter{Route: Route{Only: OnlyFinished}}, ended, true},
		"live":                  {Filter{Route: Route{Only: OnlyLive}}, started, true},
		"backfill to live":      {Filter{Route: Route{Only: OnlyLive}}, ended, false},
		"direction":             {Filter{Route: Route{Directions: []call.Direction{call.Inbound}}}, started, true},
		"other direction":       {Filter{Route: Route{Directions: []call.Direction{call.Outbound}}}, started, false},
		"source":                {Filter{Route: Route{Sources: []string{"pbx"}}}, started, true},
		"other source":          {Filter{Route: Route{Sources: []string{"old"}}}, started, false},
		"extension":             {Filter{Route: Route{Extensions: Numbers{List: []string{"101"}}}}, started, true},
		"a group is no person":  {Filter{Route: Route{Extensions: Numbers{List: []string{"600"}}}}, started, false},
		"line":                  {Filter{Route: Route{Lines: Numbers{List: []string{"021"}}}}, started, true},
		"other line":            {Filter{Route: Route{Lines: Numbers{List: []string{"022"}}}}, started, false},
		"no call, no direction": {Filter{Events: []string{"agent.*"}, Route: Route{Directions: []call.Direction{call.Inbound}}}, call.Event{Kind: call.AgentChanged}, true},
	} {
		if got, _ := tc.f.Match(tc.e, record); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
