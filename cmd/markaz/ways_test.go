package main

import (
	"context"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/call"
)

// The ways through the menus, each heard by a real caller, by both entries.
func TestWaysThroughTheMenus(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]string{"FastAGI": "markaz-inbound", "Stasis": "markaz-inbound-stasis"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, office.Options{Bed: testbed.Options{TrunkContext: entry}})
			ctx := h.within(150 * time.Second)
			sara := h.agent(ctx, "101")
			reza := h.agent(ctx, "102")
			for _, way := range []struct {
				name string
				walk func(context.Context, *testing.T, *house, *testbed.Phone, *testbed.Phone)
			}{
				{"a wrong key is told, then the menu again", wrongKey},
				{"silence is told, then a person", silence},
				{"an extension is dialled", extension},
				{"an extension that is not there", unknownExtension},
				{"back to the main menu from anywhere", mainMenu},
				{"a person from anywhere", person},
				{"closed", closed},
			} {
				t.Run(way.name, func(t *testing.T) {
					h.t = t
					way.walk(ctx, t, h, sara, reza)
				})
			}
			h.t = t
			h.Bed.NothingLeft(t)
		})
	}
}

func wrongKey(ctx context.Context, t *testing.T, h *house, _, _ *testbed.Phone) {
	c := h.dial(ctx, "02112345678", "09120000001")
	h.hears(ctx, c, "welcome")
	h.must(c.SendDTMF(ctx, "7"))
	h.hears(ctx, c, "wrong", "welcome")
	h.must(c.Hangup(ctx))
	r := h.record(ctx, "09120000001", ended)
	if r.Disposition != call.AbandonedIVR || r.By != call.ByCaller {
		t.Errorf("%s by %s", r.Disposition, r.By)
	}
}

func silence(ctx context.Context, t *testing.T, h *house, sara, _ *testbed.Phone) {
	c := h.dial(ctx, "02112345678", "09120000002")
	h.hears(ctx, c, "welcome", "silence", "welcome", "silence", "welcome", "position-1")
	ringing, err := sara.NextCall(ctx)
	h.must(err)
	h.must(ringing.Answer())
	h.talk(ctx, c, ringing)
	h.must(ringing.Hangup(ctx)) // this time the agent hangs up
	if _, err := c.WaitEnd(ctx); err != nil {
		t.Error(err)
	}
	r := h.record(ctx, "09120000002", recorded)
	if r.Disposition != call.CallAnsweredD || r.By != call.ByAgent || r.Agent != "sara" {
		t.Errorf("%s by %s, %s", r.Disposition, r.By, r.Agent)
	}
}

func extension(ctx context.Context, t *testing.T, h *house, _, reza *testbed.Phone) {
	c := h.dial(ctx, "02112345678", "09120000003")
	h.hears(ctx, c, "welcome")
	h.must(c.SendDTMF(ctx, "102"))
	ringing, err := reza.NextCall(ctx)
	h.must(err)
	h.must(ringing.Answer())
	h.talk(ctx, c, ringing)
	h.must(c.Hangup(ctx))
	r := h.record(ctx, "09120000003", recorded)
	if r.Disposition != call.CallAnsweredD || r.Reached != "102" || len(r.Queues) != 0 {
		t.Errorf("%s, reached %s, queues %v", r.Disposition, r.Reached, r.Queues)
	}
}

func unknownExtension(ctx context.Context, t *testing.T, h *house, _, _ *testbed.Phone) {
	c := h.dial(ctx, "02112345678", "09120000007")
	h.hears(ctx, c, "welcome")
	h.must(c.SendDTMF(ctx, "199"))
	h.hears(ctx, c, "wrong", "welcome")
	h.must(c.Hangup(ctx))
	r := h.record(ctx, "09120000007", ended)
	if r.Disposition != call.Missed || r.By != call.ByCaller || len(r.Menus) != 2 {
		t.Errorf("%s by %s, %+v", r.Disposition, r.By, r.Menus)
	}
}

func mainMenu(ctx context.Context, _ *testing.T, h *house, _, _ *testbed.Phone) {
	c := h.dial(ctx, "02112345678", "09120000004")
	h.hears(ctx, c, "welcome")
	h.must(c.SendDTMF(ctx, "2"))
	h.hears(ctx, c, "second")
	h.must(c.SendDTMF(ctx, "*"))
	h.hears(ctx, c, "welcome")
	h.must(c.Hangup(ctx))
	h.record(ctx, "09120000004", ended)
}

func person(ctx context.Context, t *testing.T, h *house, sara, _ *testbed.Phone) {
	c := h.dial(ctx, "02112345678", "09120000005")
	h.hears(ctx, c, "welcome")
	h.must(c.SendDTMF(ctx, "2"))
	h.hears(ctx, c, "second")
	h.must(c.SendDTMF(ctx, "0"))
	h.hears(ctx, c, "position-1")
	ringing, err := sara.NextCall(ctx)
	h.must(err)
	h.must(c.Hangup(ctx)) // while the phone rings
	if _, err := ringing.WaitEnd(ctx); err != nil {
		t.Error(err)
	}
	r := h.record(ctx, "09120000005", ended)
	if r.Disposition != call.AbandonedQueue || len(r.Menus) != 2 {
		t.Errorf("%s, menus %v", r.Disposition, r.Menus)
	}
}

func closed(ctx context.Context, t *testing.T, h *house, _, _ *testbed.Phone) {
	c := h.dial(ctx, "0219", "09120000006")
	h.hears(ctx, c, "closed")
	end, err := c.WaitEnd(ctx)
	h.must(err)
	if end.ByUs {
		t.Error("the caller hung up")
	}
	r := h.record(ctx, "09120000006", ended)
	if r.Disposition != call.AfterHours || r.By != call.BySystem {
		t.Errorf("%s by %s", r.Disposition, r.By)
	}
}

// talk makes sure that two who are connected hear each other and nobody else.
func (h *house) talk(ctx context.Context, a, b *testbed.Conversation) {
	h.t.Helper()
	a.Speak()
	b.Speak()
	h.must(a.WaitHearsOnly(ctx, b.Phone().Voice))
	h.must(b.WaitHearsOnly(ctx, a.Phone().Voice))
}
