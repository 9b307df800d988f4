package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"

	"markaz/apps/crm"
	"markaz/call"
)

// output is what the program prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
	ok chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer close(o.ok)
	return o.b.Write(p)
}

// Ensure the settings that the program prints work as they are, that it lists
// what it was told, and that it fails when it is told to.
func TestProgram(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{ok: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", out) }()
	select {
	case <-out.ok:
	case err := <-done:
		t.Fatal(err)
	}
	var cfg struct {
		CRM crm.Config `yaml:"crm"`
	}
	if err := yaml.UnmarshalWithOptions(out.b.Bytes(), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	now := time.Now
	sinks, err := crm.Open(cfg.CRM, crm.Deps{
		History: func(context.Context, string) ([]call.Event, error) { return nil, nil },
		Report:  func(call.Event) {}, Notes: &crm.MemoryNotes{}, Now: now, Chance: func() float64 { return 0 },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sinks {
		if err := s.Test(context.Background()); err != nil {
			t.Errorf("%s: %v", s.Name(), err)
		}
		tell(t, s, now())
	}
	base := strings.TrimSuffix(cfg.CRM[0].Webhook.URL, "/hook")
	for path, want := range map[string]string{"/hook": "call.ended", "/bitrix24": "09121234567", "/payamgostar": "09121234567", "/opencrm": "09121234567"} {
		if got := ask(t, http.MethodGet, base+path+"/holds", ""); !strings.Contains(got, want) {
			t.Errorf("%s holds %.300s", path, got)
		}
	}
	ask(t, http.MethodPost, base+"/hook/faults", `{"status":410}`)
	if err := sinks[0].Test(context.Background()); err == nil {
		t.Error("the fault was not taken")
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func tell(t *testing.T, s *crm.Sink, at time.Time) {
	t.Helper()
	log := []call.Event{
		{Kind: call.CallStarted, Leg: "in", From: "09121234567", To: "02112345678", Trunk: "t1", Direction: call.Inbound},
		{Kind: call.LegRinging, Leg: "a1", Role: call.RoleAgent, Address: "101"},
		{Kind: call.LegEnded, Leg: "a1", Result: call.NoAnswer},
		{Kind: call.CallEnded, By: call.ByCaller},
	}
	for i, e := range log {
		e.V, e.ID, e.Call, e.Source, e.Seq = call.Schema, fmt.Sprint("e", i), "c1", "pbx", uint64(i+1)
		e.At, e.SeenAt, e.Live = at.UTC(), at.UTC(), true
		if v, err := s.Deliver(context.Background(), e, 1); v.Act != crm.Done {
			t.Errorf("%s: %s: %+v, %v", s.Name(), e.Kind, v, err)
		}
	}
}

func ask(t *testing.T, method, address, body string) string {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode > 299 {
		t.Errorf("%s %s: %s, %v", method, address, res.Status, err)
	}
	if len(b) > 0 && !json.Valid(b) {
		t.Errorf("not JSON: %.100s", b)
	}
	return string(b)
}
