package main

import (
	"bytes"
	"context"
	le "encoding/binary"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"markaz/call"
	"markaz/operator"
	"markaz/recorder"
)

// A line recorder's file comes into the archive as any recording does, from
// the sidecar that has its source.
func TestSidecarsRecordingIsBroughtIn(t *testing.T) {
	t.Parallel()
	const id = "01M80NEMWNXD1AG2J42Y1DYTZ3"
	var b bytes.Buffer
	b.WriteString("RIFF")
	for _, v := range []any{uint32(36 + 8000), []byte("WAVEfmt "), uint32(16), uint16(7), uint16(1), uint32(8000), uint32(8000), uint16(1), uint16(8), []byte("data"), uint32(8000), make([]byte, 8000)} {
		if err := le.Write(&b, le.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/sources/office/recordings/t0123456789abcdef" || r.Header.Get("Authorization") != "Bearer word" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(b.Bytes())
	}))
	defer web.Close()
	s := &server{cfg: &config{Sidecars: sidecars{{URL: web.URL, Token: operator.Secret("word"), Sources: []string{"office"}}}}}
	var facts []call.Event
	keeper, err := recorder.NewKeeper(recorder.Config{Dir: t.TempDir()}, recorder.Deps{
		Source: recordings{s}, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Report: func(e call.Event) { facts = append(facts, e) },
		History: func(context.Context, string) ([]call.Event, error) {
			return []call.Event{{Kind: call.CallStarted, Call: id, Source: "office", At: time.Now()}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Close()
	stopped := call.Event{Kind: call.RecordingStopped, Call: id, Source: "office", At: time.Now().Add(-time.Hour), Recording: id + "-office-t0123456789abcdef"}
	if err := keeper.Handle(t.Context(), stopped); err != nil {
		t.Fatal(err)
	}
	gone := stopped
	gone.Recording = id + "-office-t00000000000000ff"
	if err := keeper.Handle(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if len(facts) != 2 || facts[0].Kind != call.RecordingAvailable || facts[0].State != "done" || facts[0].DurationMS != 1000 || facts[0].Source != "office" ||
		facts[1].Kind != call.RecordingFailed {
		t.Fatalf("%+v", facts)
	}
	confirmed := facts[0]
	if err := keeper.Handle(t.Context(), confirmed); err != nil { // deletes nothing at the recorder
		t.Error(err)
	}
}

func TestSidecarsAreChecked(t *testing.T) {
	for _, c := range []struct {
		list sidecars
		want string
	}{
		{sidecars{{URL: "127.0.0.1:9171", Sources: []string{"a"}}}, "sidecars[0]: url"},
		{sidecars{{URL: "http://h:1", Sources: []string{"a"}}, {URL: "http://h:2", Sources: []string{"a"}}}, "there twice"},
		{sidecars{{URL: "http://h:1"}}, "want the keys"},
	} {
		if err := c.list.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.list, err)
		}
	}
}
