package crm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"markaz/apps/crm/fault"
	"markaz/call"
)

func TestWebhookTellsACall(t *testing.T) {
	b := newBench(t, nil)
	events := queued("c1")
	b.run(t0.Add(time.Minute), events)
	b.complete(events)
	b.sound()
	got := b.hook.Of("c1")
	for i, e := range got {
		if want := i >= len(got)-2; (e.Call != nil) != want {
			t.Errorf("%s: record %v", e.Type, e.Call != nil)
		}
	}
	ended, amended := got[len(got)-2], got[len(got)-1]
	if c := ended.Call; c.Disposition != call.CallAnsweredD || c.Agent != "sara" || len(c.Legs) != 3 || c.Recordings[0].State != "stopped" {
		t.Errorf("record at the end: %+v", c)
	}
	if c := amended.Call; c.Revision != 1 || c.Recordings[0].File == "" {
		t.Errorf("amended record: %+v", c)
	}
	if ended.Type != "org.markaz.call.ended.v1" || ended.Source != "markaz/pbx" || ended.Sequence != "0000000015" {
		t.Errorf("envelope %s", ended.Body)
	}
	if told := b.facts.told(); len(told) != 0 {
		t.Errorf("facts %v", told)
	}
}

func TestWebhookThinAndLong(t *testing.T) {
	events := queued("c1")
	for range 700 {
		events = append(events, call.Event{Kind: call.LegRinging, Leg: fmt.Sprint("x", len(events)), Role: call.RoleAgent, Address: "103"})
	}
	slices.SortStableFunc(events, func(a, b call.Event) int { return rank(a.Kind) - rank(b.Kind) })
	events = numbered("c1", events)
	b := newBench(t, func(c *SinkConfig) { c.Only = OnlyFinished })
	b.run(t0.Add(time.Minute), events)
	got := b.hook.Of("c1")
	if len(got) != 2 || got[0].Call == nil || len(got[0].Call.Legs) != 0 || got[0].Call.From == "" || len(got[0].Body) > bodyLimit {
		t.Errorf("long record: %d events, %.300s", len(got), got[0].Body)
	}
	var data struct{ Data Data }
	if err := json.Unmarshal(got[0].Body, &data); err != nil || !data.Data.Truncated {
		t.Errorf("not said to be truncated: %v", err)
	}

	thin := newBench(t, func(c *SinkConfig) { c.Webhook.Thin = true })
	thin.run(t0.Add(time.Minute), queued("c2"))
	thin.sound()
	for _, e := range thin.hook.Of("c2") {
		if e.Call != nil || strings.Contains(string(e.Body), "0912") || strings.Contains(string(e.Body), "sara") {
			t.Errorf("thin event says too much: %s", e.Body)
		}
	}
}

// rank keeps the end of a call last.
func rank(k call.Kind) int {
	switch k {
	case call.CallEnded:
		return 1
	case call.CallAmended:
		return 2
	}
	return 0
}

// Ensure an answer that was lost after the receiver had stored the event gives
// a repeat that it can tell by its id, and nothing else.
func TestWebhookRepeatsAreTheSame(t *testing.T) {
	b := newBench(t, nil)
	for range 4 {
		b.hook.Script().Next(fault.Fault{}, fault.Fault{Status: 500, Work: true}, fault.Fault{Reset: true, Work: true})
	}
	events := queued("c1")
	b.run(t0.Add(time.Hour), events)
	b.complete(events)
	b.sound()
	if n := b.hook.Repeats(); n < 4 {
		t.Errorf("%d repeats", n)
	}
}

func TestWebhookRotatesSecrets(t *testing.T) {
	b := newBench(t, func(c *SinkConfig) {
		c.Webhook.Secrets = []Secret{NewSecret(secretB), NewSecret(secretA)}
	})
	b.run(t0.Add(time.Minute), queued("c1"))
	b.complete(queued("c1"))
	b.sound()
}

func TestTestOfAWebhook(t *testing.T) {
	b := newBench(t, nil)
	if err := b.sink.Test(context.Background()); err != nil {
		t.Error(err)
	}
	b.hook.Script().Next(fault.Fault{Status: 401, Body: "bad signature"})
	if err := b.sink.Test(context.Background()); err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "bad signature") {
		t.Errorf("%v", err)
	}
	b.sound()
}

// BenchmarkDeliver sends the events of calls to a web hook that answers in
// 5 ms, sixteen calls at once, as one consumer group does.
func BenchmarkDeliver(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(5 * time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	cfg := SinkConfig{Name: "erp", Filter: Filter{Route: Route{Only: OnlyFinished}}, Webhook: &Webhook{
		URL: srv.URL, Secrets: []Secret{NewSecret(secretA)}, Net: Net{AllowPrivate: true},
	}}
	sinks, err := Open(Config{cfg}, deps(logbook{}, &clock{at: t0}, &facts{}))
	if err != nil {
		b.Fatal(err)
	}
	defer sinks[0].conn.(*webhook).web.client.CloseIdleConnections()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range 16 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				for _, e := range queued(fmt.Sprint("c", n)) {
					if v, err := sinks[0].Deliver(context.Background(), e, 1); v.Act != Done {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
