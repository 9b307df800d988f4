package main

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/call"
)

// What a caller sends is data: whatever he calls himself, dials and presses,
// and whoever else connects to the FastAGI port, nothing is run, nobody is
// stuck, other calls go on, and what is kept and shown is clean.
func TestHostileInput(t *testing.T) {
	for name, entry := range map[string]string{"FastAGI": "markaz-inbound", "Stasis": "markaz-inbound-stasis"} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, hostileOffice(entry))
			ctx := h.within(60 * time.Second)
			boss, sara := h.agent(ctx, "101"), h.agent(ctx, "102")
			run := func(name string, test func(context.Context, *house)) {
				t.Run(name, func(t *testing.T) { h.t = t; test(ctx, h) })
				h.t = t
			}
			binary := "Ali"
			if name == "Stasis" && h.Bed.Version() == "16" { // whose JSON leaves out a text that is not UTF-8
				binary = ""
			}
			run("names and numbers", func(ctx context.Context, h *house) { hostileCallers(ctx, h, boss, binary) })
			run("dialled numbers", hostileNumbers)
			run("keys", func(ctx context.Context, h *house) { floodedKeys(ctx, h, sara) })
			if name == "FastAGI" {
				run("connections", hostileConnections)
			}
			found, err := filepath.Glob(canary(h) + "*")
			if err != nil || len(found) > 0 {
				t.Errorf("a caller ran a command: %v %v", found, err)
			}
			h.Bed.NothingLeft(t)
			h.nothingHeld(ctx)
			nothingDirty(ctx, h)
		})
	}
}

// hostileOffice connects 0218 to the phone 101, the key 1 to the agent sara at
// 102, and the key 3 to robots.
func hostileOffice(entry string) office.Options {
	const robots = 5
	sections := robotAgents(robots, "record: false")
	sections["agents"] += "\n  - {id: sara, extension: \"102\", auto_login: true}"
	sections["queues"] = strings.Replace(sections["queues"], "name: sales", "name: desk", 1) +
		"\n  - {name: sales, agents: [sara], ring_timeout: 20s, announce: {at_join: true, position: true}}"
	sections["ivr"] = strings.NewReplacer(
		`"0218", to: "queue:sales"`, `"0218", to: "extension:101"`,
		`"2": "menu:second"`, `"2": "menu:second", "3": "queue:desk"`,
	).Replace(usualMenus)
	sections["recorder"] = "{rules: []}"
	return office.Options{Bed: testbed.Options{TrunkContext: entry, Robots: robots}, Sections: sections}
}

// canary is a file that an injected command would make.
func canary(h *house) string { return filepath.Join(h.Dir(), "canary") }

// hostileCallers have names and numbers as no telephone should; the one they
// call, and the record, see what is left of them; binary is that of a name that
// is no text.
func hostileCallers(ctx context.Context, h *house, boss *testbed.Phone, binary string) {
	h.t.Helper()
	boss.OnCall(func(c *testbed.Conversation) {
		if c.Answer() == nil {
			time.Sleep(300 * time.Millisecond) // else nobody would have talked
			_ = c.Hangup(ctx)
		}
	})
	digits := strings.Repeat("1234567890", 30)
	diverted := testbed.WithHeader("Diversion", `"x" <sip:0912%0d%0aagi_context%3a%20x@127.0.0.1>;reason=busy`)
	type hostile struct {
		name, number string // as they stand on the wire
		told, from   string // and in the record
		also         []testbed.CallOption
	}
	script, run := "${SHELL(touch "+canary(h)+")}", "0912$%7bSHELL(touch%20"+canary(h)+")%7d"
	cases := []hostile{
		{`Ali \"the\" \\Boss`, "09120000001", "Ali the Boss", "09120000001", nil},
		{`Ali%0d%0aagi_callerid: 666`, "09120000002", "Ali0d0aagicallerid 666", "09120000002", nil},
		{`Ali`, "09120000003%0d%0aagi_dnid%3a%20666", "Ali", "09120000003666", nil},
		{script, run, plain(script), digitsOf(run), nil},
		{"\u202eEVIL\u202c \u200fعلی\u2066", "09120000005", "EVIL علی", "09120000005", nil},
		{digits, digits, digits[:79], digits[:64], nil},
		{"\xff\xfe\u0085Ali\x7f", "09120000007", binary, "09120000007", nil},
		{"<script>alert(1)</script>", "09120000008", "scriptalert1script", "09120000008", nil},
		{"Ali,Hangup()&PJSIP/102", "09120000009&PJSIP%2f102", "AliHangupPJSIP102", "09120000009102", nil},
		{"Ali", "09120000010", "Ali", "09120000010", []testbed.CallOption{diverted}},
	}
	var froms []string
	for _, c := range cases {
		froms = append(froms, c.from)
		caller, err := testbed.NewCaller(h.t, h.Bed).Call(ctx, "0218", append(c.also, testbed.RawFrom(c.name, c.number))...)
		h.must(err)
		taken, err := boss.NextCall(ctx)
		h.must(err)
		if taken.FromName != c.told || taken.FromUser != c.from {
			h.t.Errorf("the phone of %.40q showed %q <%s>", c.name, taken.FromName, taken.FromUser)
		}
		_, err = caller.WaitEnd(ctx)
		h.must(err)
	}
	records := h.records(ctx, froms...)
	for _, c := range cases {
		if r := records[c.from]; r.FromName != c.told || r.To != "0218" || r.Disposition != call.CallAnsweredD || r.Reached != "101" {
			h.t.Errorf("record of %.40q: %q <%s> to %s at %s, %s", c.name, r.FromName, r.From, r.To, r.Reached, r.Disposition)
		}
	}
}

// records waits until the calls from those numbers have ended, and returns the
// one record that each must have.
func (h *house) records(ctx context.Context, from ...string) map[string]call.Call {
	h.t.Helper()
	var found map[string]call.Call
	_, err := h.AwaitCalls(ctx, func(all []call.Call) bool {
		found = map[string]call.Call{}
		for _, c := range all {
			if !c.Over() || !slices.Contains(from, c.From) {
				continue
			}
			if _, twice := found[c.From]; twice {
				h.t.Fatalf("two records of one call from %s", c.From)
			}
			found[c.From] = c
		}
		return len(found) == len(from)
	})
	h.must(err)
	return found
}

// plain is what the dialplan leaves of a name in Latin letters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .", r) {
			return r
		}
		return -1
	}, s)
}

func digitsOf(s string) string {
	s = strings.NewReplacer("%7b", "", "%7d", "", "%20", "").Replace(s)
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// hostileNumbers are dialled over the trunk. Who dials what begins like a
// number hears the menu; the rest is refused.
func hostileNumbers(ctx context.Context, h *house) {
	h.t.Helper()
	long, path := strings.Repeat("0211234567", 30), canary(h)
	cases := []struct{ number, to string }{
		{"0211&PJSIP%2f102", "0211102"},
		{"0211%0d%0aagi_extension%3a%209", "02119"},
		{"0211$%7bSHELL(touch%20" + strings.ReplaceAll(path, "/", "%2f") + ")%7d", "0211" + digitsOf(path)},
		{"0211,1,System(touch%20" + strings.ReplaceAll(path, "/", "%2f") + ")", "02111" + digitsOf(path)},
		{long, long[:64]},
	}
	var froms []string
	for i, c := range cases {
		froms = append(froms, "0913000000"+string(rune('0'+i)))
		caller, err := testbed.NewCaller(h.t, h.Bed).Call(ctx, c.number, testbed.From("x", froms[i]))
		h.must(err)
		h.hears(ctx, caller, "welcome")
		h.must(caller.Hangup(ctx))
	}
	records := h.records(ctx, froms...)
	for i, c := range cases {
		if r := records[froms[i]]; r.To != c.to || r.Disposition != call.AbandonedIVR {
			h.t.Errorf("%.40q: to %q, %s", c.number, r.To, r.Disposition)
		}
	}
	for _, number := range []string{"$%7bEXTEN%7d", "%d8%b9%d9%84"} {
		var refused *testbed.CallError
		_, err := testbed.NewCaller(h.t, h.Bed).Call(ctx, number, testbed.From("x", "0914"))
		if !errors.As(err, &refused) || refused.Code != 404 {
			h.t.Errorf("%q: %v", number, err)
		}
	}
}

// floodedKeys are pressed by a machine, five hundred a second, in the menu and
// in the queue; then the caller is served like anybody.
func floodedKeys(ctx context.Context, h *house, sara *testbed.Phone) {
	h.t.Helper()
	c := h.dial(ctx, "02112345678", "09150000001")
	h.hears(ctx, c, "welcome")
	h.must(c.SendDTMF(ctx, "2"))
	h.hears(ctx, c, "second")
	h.must(c.FloodDTMF(ctx, strings.Repeat("789#5", 120)))
	h.hears(ctx, c, "position-1")
	h.must(c.FloodDTMF(ctx, strings.Repeat("0123456789*#", 50)))
	ringing, err := sara.NextCall(ctx)
	h.must(err)
	h.must(ringing.Answer())
	h.talk(ctx, c, ringing)
	h.must(c.Hangup(ctx))
	r := h.record(ctx, "09150000001", ended)
	if r.Disposition != call.CallAnsweredD || r.By != call.ByCaller || len(r.Menus) != 2 || len(r.Queues) != 1 || !slices.Equal(r.Queues[0].Heard, []int{1}) {
		h.t.Errorf("%s by %s, menus %+v, queues %+v", r.Disposition, r.By, r.Menus, r.Queues)
	}
	if n := len(r.Menus[1].Input); n == 0 || n > 5 {
		h.t.Errorf("%d wrong keys were heeded: %v", n, r.Menus[1].Input)
	}
}

// hostileConnections keep the FastAGI port busy while good calls run.
func hostileConnections(ctx context.Context, h *house) {
	h.t.Helper()
	attack, stop := context.WithCancel(ctx)
	var attackers sync.WaitGroup
	lay := func(n int, how func(net.Conn)) {
		for range n {
			attackers.Go(func() { besiege(attack, h.AGI(), how) })
		}
	}
	lay(200, func(net.Conn) {})
	lay(20, func(c net.Conn) { dribble(attack, c, forgedHeader()) })
	lay(20, func(c net.Conn) { _, _ = io.WriteString(c, forgedHeader()) }) // and answers nothing
	lay(2, func(c net.Conn) { _, _ = io.WriteString(c, "agi_network: "+strings.Repeat("x", 1<<20)) })
	robots, err := h.Bed.StartRobots(testbed.Robots{Talk: 300 * time.Millisecond})
	h.must(err)
	const calls = 10
	report, err := h.Bed.RunLoad(ctx, testbed.Load{
		Number: "02112345678", From: "0916", Calls: calls, Rate: 5, UntilBye: true, Limit: 30 * time.Second,
		Steps: []testbed.Step{{Keys: "3"}},
	})
	h.must(err)
	if report.OK != calls || report.Failed != 0 || report.Percentile(100) > 2*time.Second {
		h.t.Errorf("good calls: %d well, %d failed, answered within %v\n%s", report.OK, report.Failed, report.Percentile(100), report.Errors)
	}
	taken, err := robots.Stop()
	h.must(err)
	if taken.OK != calls || taken.Failed != 0 {
		h.t.Errorf("agents: %+v", taken)
	}
	if n := h.figure(ctx, "markaz_agi_bad_headers_total"); n < 100 {
		h.t.Errorf("only %v connections were dropped for their header", n)
	}
	stop()
	attackers.Wait()
	records, err := h.AwaitCalls(ctx, func(all []call.Call) bool {
		return !slices.ContainsFunc(all, func(c call.Call) bool { return !c.Over() })
	})
	h.must(err)
	served := 0
	for _, c := range records {
		switch {
		case c.From == "666":
			h.t.Errorf("a forged call was believed: %+v", c)
		case strings.HasPrefix(c.From, "0916") && c.Disposition == call.CallAnsweredD:
			served++
		}
	}
	if served != calls {
		h.t.Errorf("%d of %d good calls were served", served, calls)
	}
}

// besiege connects again whenever it is thrown out.
func besiege(ctx context.Context, addr string, how func(net.Conn)) {
	var d net.Dialer
	for ctx.Err() == nil {
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		leave := context.AfterFunc(ctx, func() { _ = conn.Close() })
		how(conn)
		_, _ = io.Copy(io.Discard, conn) // until it is thrown out
		leave()
		_ = conn.Close()
	}
}

// dribble sends a byte at a time.
func dribble(ctx context.Context, conn net.Conn, text string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range len(text) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
	}
}

// forgedHeader poses as Asterisk with a caller 666.
func forgedHeader() string {
	return strings.Join([]string{
		"agi_network: yes", "agi_network_script: inbound", "agi_request: agi://127.0.0.1/inbound",
		"agi_channel: PJSIP/trunk-666", "agi_language: en", "agi_type: PJSIP", "agi_uniqueid: 666.6", "agi_version: 22.0",
		"agi_callerid: 666", "agi_calleridname: 666", "agi_callingpres: 0", "agi_callingani2: 0", "agi_callington: 0",
		"agi_callingtns: 0", "agi_dnid: 0211", "agi_rdnis: unknown", "agi_context: markaz-serve", "agi_extension: s",
		"agi_priority: 3", "agi_enhanced: 0.0", "agi_accountcode: ", "agi_threadid: 1",
	}, "\n") + "\n\n"
}

// nothingDirty looks at everything that is kept of the calls, as the command
// line and the web hook tell it.
func nothingDirty(ctx context.Context, h *house) {
	h.t.Helper()
	events, err := h.Events(ctx)
	h.must(err)
	for _, e := range events {
		for _, text := range []string{e.From, e.FromName, e.To, e.DID, e.Address, e.Digits, e.Reason, e.Text, e.Trunk, e.Ref} {
			if text != call.Clean(text, 1000) || strings.ContainsAny(text, "$`\"<>|;&") {
				h.t.Errorf("%s of call %s carries %q", e.Kind, e.Call, text)
			}
		}
	}
	records, err := h.Calls(ctx)
	h.must(err)
	over := slices.DeleteFunc(records, func(c call.Call) bool { return !c.Over() })
	h.hookAgrees(ctx, over...)
}
