package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"markaz/access/audit"
	"markaz/call"
)

// try is one request and what each role gets: nobody, kiosk, the agent whose
// call it is, another agent, the supervisor of his team, another one, the
// administrator.
type try struct {
	op, method, path, body string
	want                   [7]int
}

func tries() []try {
	return []try{
		{"me", "GET", "/v1/me", "", [7]int{401, 200, 200, 200, 200, 200, 200}},
		{"users", "GET", "/v1/users", "", [7]int{401, 403, 403, 403, 403, 403, 200}},
		{"calls", "GET", "/v1/calls", "", [7]int{401, 403, 200, 200, 200, 200, 200}},
		{"call", "GET", "/v1/calls/c1", "", [7]int{401, 403, 200, 403, 200, 403, 200}},
		{"call", "GET", "/v1/calls/e1", "", [7]int{401, 403, 200, 403, 200, 403, 200}},
		{"call", "GET", "/v1/calls/none", "", [7]int{401, 403, 404, 404, 404, 404, 404}},
		{"call-events", "GET", "/v1/calls/e1/events", "", [7]int{401, 403, 200, 403, 200, 403, 200}},
		{"call-access", "GET", "/v1/calls/e1/access", "", [7]int{401, 200, 200, 200, 200, 200, 200}},
		{"call-access", "GET", "/v1/calls/e1/access?user=sara", "", [7]int{401, 403, 200, 403, 403, 403, 200}},
		{"call-action", "POST", "/v1/calls/c1/actions", `{"action":"hangup"}`, [7]int{401, 403, 202, 403, 202, 403, 202}},
		{"call-action", "POST", "/v1/calls/c1/actions", `{"action":"pause"}`, [7]int{401, 403, 202, 403, 202, 403, 202}},
		{"call-action", "POST", "/v1/calls/c1/actions", `{"action":"transfer","to":"102"}`, [7]int{401, 403, 202, 403, 202, 403, 202}},
		{"call-action", "POST", "/v1/calls/c1/actions", `{"action":"hold"}`, [7]int{401, 403, 202, 403, 202, 403, 202}},
		{"monitor", "POST", "/v1/monitors", `{"call":"c1","leg":"c1-b","mode":"spy"}`, [7]int{401, 403, 403, 403, 202, 403, 202}},
		{"monitor", "POST", "/v1/monitors", `{"call":"c1","mode":"whisper"}`, [7]int{401, 403, 403, 403, 202, 403, 202}},
		{"monitor", "POST", "/v1/monitors", `{"call":"c1","mode":"barge"}`, [7]int{401, 403, 403, 403, 202, 403, 202}},
		{"monitor", "POST", "/v1/monitors", `{"call":"c1","mode":"takeover"}`, [7]int{401, 403, 403, 403, 202, 403, 202}},
		{"monitor", "POST", "/v1/monitors", `{"call":"e1","mode":"spy"}`, [7]int{401, 403, 403, 403, 409, 403, 409}},
		{"monitor-change", "PATCH", "/v1/monitors/c1-m", `{"mode":"barge"}`, [7]int{401, 404, 404, 404, 202, 404, 404}},
		{"monitor-end", "DELETE", "/v1/monitors/c1-m", "", [7]int{401, 404, 404, 404, 202, 404, 404}},
		{"dial", "POST", "/v1/dials", `{"to":"02112345678"}`, [7]int{401, 403, 202, 202, 202, 202, 202}},
		{"dial", "POST", "/v1/dials", `{"to":"02112345678","extension":"101"}`, [7]int{401, 403, 202, 403, 403, 403, 202}},
		{"floor", "GET", "/v1/floor", "", [7]int{401, 200, 200, 200, 200, 200, 200}},
		{"queues", "GET", "/v1/queues", "", [7]int{401, 200, 200, 200, 200, 200, 200}},
		{"agents", "GET", "/v1/agents", "", [7]int{401, 200, 200, 200, 200, 200, 200}},
		{"agent-state", "PUT", "/v1/agents/sara/state", `{"state":"paused","reason":"lunch"}`, [7]int{401, 403, 202, 403, 202, 403, 202}},
		{"recording", "GET", "/v1/calls/e1/recordings/e1-r", "", [7]int{401, 403, 200, 403, 200, 403, 200}},
		{"recording", "GET", "/v1/calls/e1/recordings/e1-r?download=true", "", [7]int{401, 403, 403, 403, 403, 403, 200}},
		{"listened", "GET", "/v1/calls/e1/listened", "", [7]int{401, 403, 200, 403, 200, 403, 200}},
		{"reports", "GET", "/v1/reports", "", [7]int{401, 403, 200, 200, 200, 200, 200}},
		{"audit", "GET", "/v1/audit", "", [7]int{401, 403, 403, 403, 403, 403, 200}},
		{"audit-verify", "GET", "/v1/audit/verify", "", [7]int{401, 403, 403, 403, 403, 403, 200}},
		{"tokens", "GET", "/v1/tokens", "", [7]int{401, 403, 403, 403, 403, 403, 200}},
		{"token-add", "POST", "/v1/tokens", `{"name":"x","role":"kiosk"}`, [7]int{401, 403, 403, 403, 403, 403, 201}},
		{"token-revoke", "DELETE", "/v1/tokens/none", "", [7]int{401, 403, 403, 403, 403, 403, 404}},
		{"board", "GET", "/v1/board", "", [7]int{401, 200, 200, 200, 200, 200, 200}},
		{"events", "GET", "/v1/events", "", [7]int{401, 200, 200, 200, 200, 200, 200}},
	}
}

// Every operation of the document is tried as every role, and a refusal is
// recorded.
func TestEveryRoleAtEveryOperation(t *testing.T) {
	h := newHouse(t)
	roles := []string{"", "wall", "sara", "omid", "leila", "nima", "root"}
	tried := map[string]bool{}
	for _, c := range tries() {
		tried[c.op] = true
		for i, role := range roles {
			before := len(h.audited(audit.Query{Limit: 1}))
			newest := int64(0)
			if before > 0 {
				newest = h.audited(audit.Query{Limit: 1})[0].Seq
			}
			text := h.want(c.want[i], role, c.method, c.path, c.body)
			events := slices.DeleteFunc(h.taken(), func(e call.Event) bool { return e.State == call.MonitorRecorded }) // follows its request
			if (c.want[i] == 202) != (len(events) == 1) {
				t.Errorf("%s %s: %d events were posted", role, c.op, len(events))
			}
			if c.want[i] >= 400 && !strings.Contains(text, `"code":"E4`) {
				t.Errorf("%s %s: a problem without a code: %s", role, c.op, text)
			}
			if c.want[i] != 403 && c.want[i] != 202 {
				continue
			}
			result := map[int]string{403: audit.Refused, 202: audit.OK}[c.want[i]]
			last := h.audited(audit.Query{Limit: 1})
			if len(last) != 1 || last[0].Seq == newest || last[0].Who != role || last[0].Result != result {
				t.Errorf("%s %s: recorded is %+v, want %s", role, c.op, last, result)
			}
		}
	}
	for path, item := range h.api.OpenAPI().Paths {
		for method, op := range map[string]any{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if fmt.Sprint(op) != "<nil>" && !tried[operationID(h, path, method)] {
				t.Errorf("%s %s is in the document and was not tried", method, path)
			}
		}
	}
	if head, err := h.gate.Audit().Verify(t.Context()); err != nil || head.Seq < 100 {
		t.Errorf("audit log: %v %v", head, err)
	}
}

func operationID(h *house, path, method string) string {
	item := h.api.OpenAPI().Paths[path]
	switch method {
	case "GET":
		return item.Get.OperationID
	case "POST":
		return item.Post.OperationID
	case "PUT":
		return item.Put.OperationID
	case "PATCH":
		return item.Patch.OperationID
	}
	return item.Delete.OperationID
}
