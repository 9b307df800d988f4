package observe_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"markaz/asterisk/observe"
	"markaz/asterisk/testbed"
	"markaz/call"
)

// givenBack: calls that Markaz handled go on in the dialplan's fall-back. Each
// stays one call, whose record says what came of it there.
func givenBack(t *testing.T, ctx context.Context, bed *testbed.Asterisk) {
	var current atomic.Value // the call that Markaz handles
	current.Store("")
	w := startWatch(t, bed, func(_ *observe.Config, d *observe.Deps) {
		d.Mine = func(string) string { return current.Load().(string) } // it learns late that the channel has left
	})
	w.synced(ctx)
	s := &stage{t: t, ctx: ctx, bed: bed, first: 161}
	for i, sh := range []struct {
		how     testbed.Reaction
		result  call.Disposition
		reached string
		leg     call.Result
	}{
		{testbed.Answer, call.CallAnsweredD, s.ext(0), call.Answered},
		{testbed.RejectBusy, call.Missed, "", call.Busy},
	} {
		phone := s.phone(i, sh.how)
		id := call.NewID(time.Now(), [10]byte{byte(i)})
		current.Store(id)
		from := s.number() + s.ext(i)
		w.loop.Post(ctx, call.Event{Kind: call.CallStarted, Call: id, Leg: "leg-" + id, From: from, Direction: call.Inbound, Role: call.RoleCaller})
		talk, err := testbed.NewCaller(t, bed).Dial(ctx, "022"+s.ext(i), testbed.From("Caller", from))
		s.ok(err)
		w.loop.Post(ctx, call.Event{Kind: call.LegEnded, Call: id, Leg: "leg-" + id, Result: call.Transferred, Reason: call.Fallback, By: call.ByPBX})
		if sh.reached != "" {
			s.talk(talk, s.gets(phone))
			s.hangsUp(talk)
		}
		s.ends(talk)
		var c *call.Call
		w.await(ctx, "the record of the call", func(list []call.Event) bool {
			c = oneRecord(t, list, id, from)
			return c.Disposition == sh.result && c.Over()
		})
		if c.Reached != sh.reached || c.Reason != call.Fallback || len(c.Legs) != 2 || c.Legs[1].Address != s.ext(i) || c.Legs[1].Result != sh.leg {
			t.Errorf("the call that was given back: %+v", c)
		}
		if talked := c.TalkMS > 0; talked != (sh.reached != "") {
			t.Errorf("talk of %d ms", c.TalkMS)
		}
	}
}

// oneRecord is the call that was handled; whatever else was told of this
// caller must never have ended as a call of its own.
func oneRecord(t *testing.T, list []call.Event, id, from string) *call.Call {
	book, ours := call.Book{}, map[string]bool{}
	for _, e := range list {
		c, _ := book.Apply(e)
		if e.Kind == call.CallStarted && e.From == from {
			ours[e.Call] = true
		}
		if e.Kind == call.CallEnded && e.Call != id && ours[e.Call] {
			t.Fatalf("%s has a record of its own: %+v", e.Call, c)
		}
		if e.Kind == call.CallMerged && ours[e.Call] && e.Into != id {
			t.Fatalf("%s is merged into %s", e.Call, e.Into)
		}
	}
	return book[id]
}
