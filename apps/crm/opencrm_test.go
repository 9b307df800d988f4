package crm

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/apps/crm/conformance/opencrm"
	"markaz/call"
)

func ocServe(change func(*opencrm.Options)) (*opencrm.Server, standIn) {
	opt := opencrm.Options{Username: "markaz", Password: "oc-p4ss", Key: "office", Identities: map[string]string{"09121234567": "Sara Ahmadi"}}
	if change != nil {
		change(&opt)
	}
	server := opencrm.New(opt)
	srv := httptest.NewServer(server)
	return server, standIn{srv: srv, script: server.Script(), notes: &MemoryNotes{}, config: SinkConfig{Name: "oc", OpenCRM: &OpenCRM{
		URL: srv.URL, Username: "markaz", Password: NewSecret("oc-p4ss"), Key: "office",
		Net: Net{AllowPrivate: true, Timeout: time.Minute},
	}}}
}

func ocOpen(t *testing.T, s standIn, c *clock) (*Sink, *facts) {
	t.Helper()
	t.Cleanup(s.srv.Close)
	f := &facts{}
	d := deps(logbook{}, c, f)
	d.Notes = s.notes
	sinks, err := Open(Config{s.config}, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sinks[0].conn.(*openCRMConn).api.web.client.CloseIdleConnections)
	return sinks[0], f
}

// Ensure each shape of call gives exactly one call with each party once and in
// its last state, whatever request fails in whatever way.
func TestOpenCRMCalls(t *testing.T) {
	var server *opencrm.Server
	b := crmBench{start: func(*clock) standIn {
		var in standIn
		server, in = ocServe(nil)
		return in
	}}
	types := map[call.Direction]string{call.Inbound: "Incoming", call.Outbound: "Outgoing", call.Internal: "Internal"}
	b.everywhere(t, func(t *testing.T, _ standIn, how string, want shape) {
		t.Helper()
		calls := server.Calls()
		if len(calls) != 1 {
			t.Fatalf("%s: %d calls %+v", how, len(calls), calls)
		}
		got := calls[0]
		if got.Type != types[want.direction] || (got.Result == "Answered") != want.answered || got.End == nil || !got.Start.Equal(t0) {
			t.Errorf("%s: call %+v", how, got)
		}
		var sources, talked []string
		file := ""
		for _, ch := range got.Channels {
			sources = append(sources, ch.Source)
			if ch.State != "Hangedup" || ch.Ended == nil {
				t.Errorf("%s: channel %+v", how, ch)
			}
			if ch.PeerType == "Extension" && (ch.Response == "Answered" || ch.Response == "Transfered") {
				talked = append(talked, ch.Peer)
			}
			file += ch.File
		}
		if slices.Sort(sources); len(slices.Compact(sources)) != len(got.Channels) {
			t.Errorf("%s: a channel twice: %v", how, sources)
		}
		if slices.Contains(talked, want.extension) != want.answered {
			t.Errorf("%s: %v talked, want %q", how, talked, want.extension)
		}
		if (file == "2026/03/21/x.wav") != want.recording {
			t.Errorf("%s: file %q", how, file)
		}
	})
}

func TestOpenCRMIdentifies(t *testing.T) {
	c := &clock{at: t0}
	_, in := ocServe(nil)
	sink, f := ocOpen(t, in, c)
	take(t, sink, c, queued("c1")...)
	if len(f.all) != 1 || f.all[0].Kind != call.CallIdentified || f.all[0].Identity != "77" || f.all[0].Text != "Sara Ahmadi" {
		t.Errorf("facts %+v", f.all)
	}
	find := sink.Connector().(Finder)
	if id, name, err := find.Find(context.Background(), "09121234567"); err != nil || id != "77" || name != "Sara Ahmadi" {
		t.Errorf("%s %s %v", id, name, err)
	}
	if id, _, err := find.Find(context.Background(), "+989121234567"); err != nil || id != "77" {
		t.Errorf("as the phone book asks: %s %v", id, err)
	}
	if id, _, err := find.Find(context.Background(), "1"); err != nil || id != "" {
		t.Errorf("%s %v", id, err)
	}
}

// Ensure calls are merged where the CRM's ids allow it, and end by themselves
// where they do not.
func TestOpenCRMMerges(t *testing.T) {
	for _, texts := range []bool{false, true} {
		c := &clock{at: t0}
		server, in := ocServe(func(o *opencrm.Options) { o.TextIDs = texts })
		sink, _ := ocOpen(t, in, c)
		take(t, sink, c, queued("c2")[:3]...)
		take(t, sink, c, numbered("c1", []call.Event{inbound("09121234567"), ring("a1", "101", ""), {Kind: call.CallMerged, Into: "c2"}})...)
		calls := server.Calls()
		if len(calls) != 2 || (calls[1].MergedTo == calls[0].ID) == texts || (calls[1].End != nil) != texts {
			t.Errorf("text ids %v: %+v", texts, calls)
		}
	}
}

func TestOpenCRMTest(t *testing.T) {
	for name, tc := range map[string]struct {
		options  func(*opencrm.Options)
		settings func(*OpenCRM)
		want     string
	}{
		"right":          {nil, func(*OpenCRM) {}, ""},
		"open":           {func(o *opencrm.Options) { o.Username, o.Password = "", "" }, func(o *OpenCRM) { o.Username, o.Password = "", Secret{} }, ""},
		"wrong password": {nil, func(o *OpenCRM) { o.Password = NewSecret("n0nsense") }, "does not accept"},
		"wrong address":  {nil, func(o *OpenCRM) { o.URL += "/crm" }, "no call/CallCreated below it"},
		"nobody":         {nil, func(o *OpenCRM) { o.URL = "http://127.0.0.1:1" }, "connection refused"},
	} {
		c := &clock{at: t0}
		server, in := ocServe(tc.options)
		tc.settings(in.config.OpenCRM)
		sink, _ := ocOpen(t, in, c)
		err := sink.Test(context.Background())
		if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "n0nsense")) {
			t.Errorf("%s: %v", name, err)
		}
		if len(server.Calls()) != 0 {
			t.Errorf("%s: the test left %+v", name, server.Calls())
		}
	}
}

func TestOpenCRMConfig(t *testing.T) {
	for want, change := range map[string]func(*OpenCRM){
		"":                             func(*OpenCRM) {},
		"[0].opencrm.username: ":       func(o *OpenCRM) { o.Username = "u" },
		"[0].opencrm.ts_key: want":     func(o *OpenCRM) { o.Key = "" },
		"[0].opencrm.recording: want":  func(o *OpenCRM) { o.Recording = "upload" },
		"[0].opencrm.url: want https:": func(o *OpenCRM) { o.URL = "crm" },
	} {
		o := &OpenCRM{URL: "https://crm.example", Key: "k"}
		change(o)
		err := Config{{Name: "o", OpenCRM: o}}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}
