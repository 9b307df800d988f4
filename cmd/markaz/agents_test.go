package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/queue"
)

// Agents log in by a code of their phone and are paused over the API; what
// they are survives a restart of Markaz.
func TestAgentsLogInByCodeAndAPI(t *testing.T) {
	t.Parallel()
	h := newHouse(t, office.Options{Bed: testbed.Options{TrunkContext: "markaz-inbound-stasis"}, Sections: map[string]string{
		"agents": "\n  - {id: reza, extension: \"102\"}",
		"queues": strings.ReplaceAll(usualQueues, "[sara]", "[reza]"),
	}})
	ctx := h.within(60 * time.Second)
	reza := h.agent(ctx, "102")
	h.dials(ctx, reza, "*71")
	h.state(ctx, "reza", queue.Available)

	caller := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, reza, caller)
	h.must(caller.Hangup(ctx))
	if _, err := agent.WaitEnd(ctx); err != nil {
		t.Error(err)
	}

	if status := h.ask(ctx, bearer{}, "reza", `{"state": "paused"}`); status != http.StatusUnauthorized {
		t.Errorf("without the token: %d", status)
	}
	for body, want := range map[string]int{
		`{"state": "asleep"}`: http.StatusUnprocessableEntity, `{`: http.StatusBadRequest, `{"state": "paused", "x": 1}`: http.StatusBadRequest,
	} {
		if status := h.ask(ctx, bearer{office.Token}, "reza", body); status != want {
			t.Errorf("%s: %d, want %d", body, status, want)
		}
	}
	if status := h.ask(ctx, bearer{office.Token}, "nobody", `{"state": "paused"}`); status != http.StatusNotFound {
		t.Errorf("nobody: %d", status)
	}
	if status := h.ask(ctx, bearer{office.Token}, "reza", `{"state": "paused", "reason": "lunch"}`); status != http.StatusAccepted {
		t.Errorf("pause: %d", status)
	}
	h.state(ctx, "reza", queue.Paused)
	h.Markaz().Kill()
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	h.state(ctx, "reza", queue.Paused)
	h.dials(ctx, reza, "*72")
	h.state(ctx, "reza", queue.Offline)
}

// bearer is what a request carries, if anything.
type bearer []string

// dials calls a feature code and hears the tone that says that it was taken.
func (h *house) dials(ctx context.Context, p *testbed.Phone, code string) {
	h.t.Helper()
	talk, err := p.Call(ctx, code)
	h.must(err)
	if _, err := talk.WaitEnd(ctx); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) ask(ctx context.Context, token bearer, agent, body string) int {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, h.Web()+"/v1/agents/"+agent+"/state", strings.NewReader(body))
	h.must(err)
	for _, t := range token {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	res, err := http.DefaultClient.Do(req)
	h.must(err)
	_ = res.Body.Close()
	return res.StatusCode
}

// state waits until the floor shows an agent in a state.
func (h *house) state(ctx context.Context, agent string, want queue.State) {
	h.t.Helper()
	for {
		var floor struct {
			Agents []struct{ ID, State string }
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Web()+"/v1/floor", nil)
		h.must(err)
		req.Header.Set("Authorization", "Bearer "+office.Token)
		res, err := http.DefaultClient.Do(req)
		h.must(err)
		h.must(json.NewDecoder(res.Body).Decode(&floor))
		_ = res.Body.Close()
		for _, a := range floor.Agents {
			if a.ID == agent && a.State == want.String() {
				return
			}
		}
		select {
		case <-ctx.Done():
			h.t.Fatalf("%s is not %s: %+v", agent, want, floor)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
