package observe_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/observe"
	"markaz/asterisk/testbed"
	"markaz/call"
)

// outcome is what the phones know of a call of the chaos.
type outcome struct {
	from, shape string
	result      []call.Disposition // any of these
	reached     string
	also        string // to whom he was transferred: all that can be known of it later
}

// fits reports whether a record says what the phones know.
func (o outcome) fits(c *call.Call) bool {
	return c.Over() && slices.Contains(o.result, c.Disposition) && c.Direction == call.Inbound &&
		(c.Reached == o.reached || o.also != "" && c.Reached == o.also)
}

// crowd is one of several groups of phones that call at random.
type crowd struct {
	*stage
	phones []*testbed.Phone
	calls  int
}

// from is a caller's number that nobody has had before.
func (c *crowd) from() string {
	c.calls++
	return fmt.Sprintf("0936%d%03d", c.first, c.calls)
}

func (c *crowd) call(way int, from string) *testbed.Conversation {
	c.t.Helper()
	talk, err := c.phones[5].Dial(c.ctx, c.did(way), testbed.From("Caller", from))
	c.ok(err)
	return talk
}

// only lets one phone answer and the others ring.
func (c *crowd) only(answers int, how testbed.Reaction) {
	for i := range 5 {
		c.phones[i].OnCall(testbed.Ignore)
	}
	c.phones[answers].OnCall(how)
}

// taken is the call that a phone has answered; those that only rang are passed
// over.
func (c *crowd) taken(i int) *testbed.Conversation {
	c.t.Helper()
	for {
		talk := c.rings(c.phones[i])
		select {
		case <-talk.Answered():
			select {
			case <-talk.Ended():
			default:
				return talk
			}
		case <-talk.Ended():
		case <-c.ctx.Done():
			c.t.Fatal(c.ctx.Err())
		}
	}
}

// play makes one call at random.
func (c *crowd) play() outcome {
	o := outcome{from: c.from()}
	who := rand.IntN(5)
	answered := func(shape string, way, who int) {
		o.shape, o.reached, o.result = shape, c.ext(who), []call.Disposition{call.CallAnsweredD}
		c.only(who, testbed.AnswerAfter(time.Duration(rand.IntN(300))*time.Millisecond))
		talk := c.call(way, o.from)
		if way == 8 {
			c.ok(talk.WaitAnswer(c.ctx))
			c.ok(talk.SendDTMF(c.ctx, "1"))
		}
		taken := c.taken(who)
		c.ok(talk.WaitAnswer(c.ctx))
		c.pause(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		if rand.IntN(3) == 0 && way == 1 {
			next := 1 + rand.IntN(4)
			o.also = c.ext(next)
			c.only(next, testbed.Answer)
			c.ok(taken.Transfer(c.ctx, c.ext(next)))
			taken = c.taken(next)
			c.pause(200 * time.Millisecond)
		}
		if rand.IntN(2) == 0 {
			c.hangsUp(talk)
		} else {
			c.hangsUp(taken)
		}
		c.ends(talk, taken)
	}
	switch rand.IntN(8) {
	case 0, 1:
		answered("extension", 1, 0)
	case 2:
		answered("ring group by Local channels", 2, who)
	case 3:
		answered("ring group", 3, who)
	case 4:
		answered("queue", 4*rand.IntN(2), who)
	case 5:
		answered("menu", 8, 0)
	case 6:
		o.shape, o.result = "busy", []call.Disposition{call.Missed}
		c.only(0, testbed.RejectBusy)
		c.ends(c.call(1, o.from))
	case 7:
		o.shape, o.result = "given up", []call.Disposition{call.AbandonedRinging, call.Missed}
		c.only(0, testbed.Ignore)
		talk := c.call(1+rand.IntN(3), o.from)
		for rung := c.rings(c.phones[0]); ; rung = c.rings(c.phones[0]) {
			select {
			case <-rung.Ended():
				continue
			default:
			}
			break
		}
		c.hangsUp(talk)
		c.ends(talk)
	}
	return o
}

// TestChaos: many calls of all shapes at random, while the connection is lost
// again and again. Each has one record, and it is right. CHAOS_CALLS=500 makes
// it longer.
func TestChaos(t *testing.T) {
	total := 200
	if n, err := strconv.Atoi(os.Getenv("CHAOS_CALLS")); err == nil {
		total = n
	}
	bed := pbx(t, testbed.Options{Calls: 300})
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(60+total/3)*time.Second)
	defer cancel()
	file := filepath.Join(filepath.Dir(bed.ConfigDir()), "log", "cdr-csv", "Master.csv")
	cable, address := newWire(t, bed)
	w := startWatch(t, bed, func(c *observe.Config, d *observe.Deps) {
		c.CDR, c.CDRZone = file, "UTC"
		d.ARI.URL, d.ARI.Heartbeat = address, 500*time.Millisecond
	})
	w.synced(ctx)
	const crowds = 8
	done, outcomes := make(chan struct{}), make(chan outcome, total)
	var work, trouble sync.WaitGroup
	for i := range crowds {
		c := &crowd{stage: &stage{t: t, ctx: ctx, bed: bed, first: 101 + 5*i}}
		for n := range 5 {
			c.phones = append(c.phones, c.phone(n, testbed.Ignore))
		}
		c.phones = append(c.phones, testbed.NewCaller(t, bed))
		work.Go(func() {
			for range total / crowds {
				outcomes <- c.play()
			}
		})
	}
	trouble.Go(func() { shake(cable, done) })
	work.Wait()
	close(done)
	trouble.Wait()
	close(outcomes)
	var list []outcome
	for o := range outcomes {
		list = append(list, o)
	}
	w.agree(list)
	if t.Failed() {
		direct := http.Client{Timeout: 3 * time.Second}
		for _, ask := range []string{"/asterisk/info", "/channels", "/applications"} {
			res, err := direct.Get(bed.ARIURL() + ask + "?api_key=" + testbed.ARIUser + ":" + testbed.ARIPassword)
			if err == nil {
				_ = res.Body.Close()
			}
			t.Logf("asked without the cable: %s: %v", ask, err)
		}
		rows, err := os.ReadFile(file)
		t.Logf("the PBX's records: %v\n%s", err, rows)
	}
	bed.NothingLeft(t)
}

// shake cuts the connection every few seconds, for a while.
func shake(cable *wire, done chan struct{}) {
	wait := func(d time.Duration) bool {
		select {
		case <-done:
			return false
		case <-time.After(d):
			return true
		}
	}
	defer cable.cut(false)
	for wait(time.Duration(2000+rand.IntN(3000)) * time.Millisecond) {
		cable.cut(true)
		more := wait(time.Duration(200+rand.IntN(2000)) * time.Millisecond)
		cable.cut(false)
		if !more {
			return
		}
	}
}

// agree holds the records against what the phones know.
func (w *watch) agree(list []outcome) {
	w.t.Helper()
	calls := map[string][]*call.Call{}
	ofCall := func(o outcome) []*call.Call {
		return slices.DeleteFunc(slices.Clone(calls[o.from]), func(c *call.Call) bool { return c.MergedInto != "" })
	}
	right := func(o outcome) bool { got := ofCall(o); return len(got) == 1 && o.fits(got[0]) }
	for end := time.After(20 * time.Second); ; {
		clear(calls)
		book := call.Book{}
		for _, e := range w.mem.all() {
			c, _ := book.Apply(e)
			if e.Kind == call.CallStarted {
				calls[e.From] = append(calls[e.From], c)
			}
		}
		if !slices.ContainsFunc(list, func(o outcome) bool { return !right(o) }) {
			break
		}
		select {
		case <-end: // told below
		case <-time.After(50 * time.Millisecond):
			continue
		}
		break
	}
	live, wrong := 0, 0
	for _, o := range list {
		got := ofCall(o)
		if right(o) {
			if got[0].Live {
				live++
			}
			continue
		}
		if wrong++; wrong > 5 {
			continue
		}
		w.t.Errorf("%s from %s, reached %q: %d records", o.shape, o.from, o.reached, len(got))
		for _, c := range got {
			w.t.Logf("%s, reached %q, %s, live %v\n%s", c.Disposition, c.Reached, c.Direction, c.Live, w.eventsOf(c.ID))
		}
	}
	w.t.Logf("%d calls, %d told live, %d taken over, %d wrong", len(list), live, len(list)-live-wrong, wrong)
}

func (w *watch) eventsOf(id string) string {
	var b strings.Builder
	for _, e := range w.mem.all() {
		if e.Call == id || e.Kind == call.SwitchLost || e.Kind == call.SwitchSynced {
			b.WriteString(line(w.t, e, map[string]string{}) + "\n")
		}
	}
	return b.String()
}
