package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"markaz/asterisk/testbed/redisbed"
)

const (
	multiWord = "*1\r\n$5\r\nMULTI\r\n"
	execWord  = "*1\r\n$4\r\nEXEC\r\n"
)

// cutInside does to the file of a killed Redis what a kill in the middle of a
// write does: it ends at a part, from 0 to 1, of the last transaction that has
// a word.
func cutInside(t testing.TB, r *redisbed.Redis, word string, part float64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.Dir(), "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(data, []byte(word))
	begin := bytes.LastIndex(data[:max(at, 0)], []byte(multiWord))
	end := bytes.Index(data[max(at, 0):], []byte(execWord))
	if begin < 0 || end < 0 {
		t.Fatalf("no transaction with %s", word)
	}
	begin += len(multiWord)
	size := at + end + len(execWord) - begin
	if err := os.Truncate(files[0], int64(begin+max(1, min(int(part*float64(size)), size-1)))); err != nil {
		t.Fatal(err)
	}
}

func killAndResume(t testing.TB, r *redisbed.Redis) {
	t.Helper()
	r.Kill()
	resume(t, r)
}

// parts are where transactions are cut: all over, and within the last word.
func parts() []float64 {
	return []float64{0.02, 0.3, 0.5 + rand.Float64()/10, 0.8, 0.95, 0.98, 0.999}
}

// What was half said when Redis was killed is said to its end when it begins
// for the second time: the stream still holds every event once.
func TestHalfSaidEventsAreTakenOut(t *testing.T) {
	for _, part := range parts() {
		t.Run(fmt.Sprintf("%.3f", part), func(t *testing.T) {
			server, f := startRedis(t, "always"), newEffects()
			l := openLog(t, server.Addr(), t.TempDir())
			runLog(t, l)
			c := connect(t, server.Addr())
			appendEvents(t, l, 0, 300)
			halt := runGroup(t, newTestGroup(t, c, GroupConfig{Handle: handled(f)}))
			eventually(t, "the first are done", func() bool { return f.count() == 300 })
			if err := halt(); err != nil { // it is behind when the half said comes back
				t.Fatal(err)
			}
			appendEvents(t, l, 300, 700)
			eventually(t, "all is sent", allSent(l))
			server.Kill()
			cutInside(t, server, "XADD", part)
			resume(t, server)
			for n := 700; n < 1000; n += 100 {
				appendEvents(t, l, n, n+100)
				eventually(t, "all is sent", allSent(l))
				killAndResume(t, server)
			}
			appendEvents(t, l, 1000, 1100)
			for _, name := range []string{"crm", "late"} {
				runGroup(t, newTestGroup(t, connect(t, server.Addr()), GroupConfig{Name: name, Handle: func(_ context.Context, d Delivery) error {
					if name == "late" {
						return nil
					}
					return f.do(d.Event, func() error { return nil })
				}}))
				eventually(t, "all is done", func() bool {
					g := (&bench{client: c}).status(t, name)
					return allSent(l)() && g.Lag == 0 && g.Open == 0
				})
			}
			wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 1100))
			f.want(t, 0, 1100)
			if f.count() != 1100 {
				t.Fatal(f.count())
			}
		})
	}
}

// The count that goes with half said events must not be believed: it is said
// to its end too, though nobody has sent the events again.
func TestHalfSaidCountIsNotBelieved(t *testing.T) {
	for _, part := range append(parts(), 0.9999) {
		t.Run(fmt.Sprintf("%.4f", part), func(t *testing.T) {
			server, dir := startRedis(t, "always"), t.TempDir()
			for round, to := range []int{0, 200} {
				l := openLog(t, server.Addr(), dir)
				stop := runLog(t, l)
				appendEvents(t, l, to, to+200)
				eventually(t, "all is sent", allSent(l))
				stop()
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				server.Kill()
				if round == 1 {
					cutInside(t, server, "XADD", part)
				}
				resume(t, server)
			}
			// Somebody else's script ends what was half said.
			if _, err := NewLease(connect(t, server.Addr()), "loop", "me", time.Minute).Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			killAndResume(t, server)
			l := openLog(t, server.Addr(), dir)
			runLog(t, l)
			appendEvents(t, l, 400, 500)
			eventually(t, "all is sent", allSent(l))
			wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 500))
		})
	}
}

// ledger counts what was done with each event, by processes that forget.
type ledger struct {
	mu    sync.Mutex
	done  map[string]int
	last  map[string]string
	wrong string
}

// work handles n events in a new process, which then ends; n < 0: all there are.
func (k *ledger) work(t testing.TB, addr string, n int) {
	t.Helper()
	c := connect(t, addr)
	k.last = map[string]string{}
	g := newTestGroup(t, c, GroupConfig{Parallel: 1, Claim: 300 * time.Millisecond, Handle: func(_ context.Context, d Delivery) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if n == 0 {
			return fmt.Errorf("%w: enough", ErrStop)
		}
		n--
		k.done[d.Event.ID]++
		if d.Event.ID <= k.last[d.Event.Call] {
			k.wrong = d.Event.ID + " after " + k.last[d.Event.Call]
		}
		k.last[d.Event.Call] = d.Event.ID
		return nil
	}})
	if n >= 0 {
		if err := g.Run(t.Context()); !errors.Is(err, ErrStop) {
			t.Fatal(err)
		}
		return
	}
	stop := runGroup(t, g)
	eventually(t, "all is done", func() bool {
		groups, err := c.Groups(t.Context()) // which may fail on a machine that is busy
		return err == nil && len(groups) == 1 && groups[0].Lag == 0 && groups[0].Open == 0 && groups[0].Calls == 0
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// The same with what groups say: no event is lost to them, and none that was
// done with comes again.
func TestHalfSaidWorkOfGroupsIsUndone(t *testing.T) {
	for name, c := range map[string]struct {
		word   string
		before int // events done before the cut, and after it before the next kill
		after  int
	}{
		"dealt":            {"RPUSH", 0, 5},
		"dealt, not again": {"RPUSH", 0, 0},
		"done":             {"LREM", 5, 62}, // its call comes last, when the claim on it has ended
		"done, not again":  {"LREM", 5, 30},
	} {
		for _, part := range parts()[2:6] {
			t.Run(fmt.Sprintf("%s/%.3f", name, part), func(t *testing.T) {
				server := startRedis(t, "always")
				l := openLog(t, server.Addr(), t.TempDir())
				runLog(t, l)
				appendEvents(t, l, 0, 70)
				eventually(t, "all is sent", allSent(l))
				first := &ledger{done: map[string]int{}}
				first.work(t, server.Addr(), c.before)
				server.Kill()
				cutInside(t, server, c.word, part)
				resume(t, server)
				k := &ledger{done: map[string]int{}}
				k.work(t, server.Addr(), c.after)
				killAndResume(t, server)
				appendEvents(t, l, 70, 140)
				eventually(t, "all is sent", allSent(l))
				k.work(t, server.Addr(), -1)
				wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 140))
				k.judge(t, first, 140)
			})
		}
	}
}

// judge checks that each event was done once after the cut, or before it.
func (k *ledger) judge(t testing.TB, first *ledger, n int) {
	t.Helper()
	again := 0
	for id := range slices.Values(eventIDs(0, n)) {
		switch a, b := first.done[id], k.done[id]; {
		case b > 1, a+b < 1:
			t.Errorf("%s: %d before the cut, %d after", id, a, b)
		case a+b > 1:
			again++ // that it was done was not said when Redis was killed
		}
	}
	if again > 1 || k.wrong != "" || first.wrong != "" {
		t.Errorf("%d again, order: %q %q", again, first.wrong, k.wrong)
	}
}

// Dead letters that were being put back in line when Redis was killed are dead
// after it, and what an operator does with them then is what counts.
func TestHalfSaidReplayIsUndone(t *testing.T) {
	for _, part := range parts()[1:6] {
		t.Run(fmt.Sprintf("%.3f", part), func(t *testing.T) {
			server, f := startRedis(t, "always"), newEffects()
			b := &bench{addr: server.Addr(), log: openLog(t, server.Addr(), t.TempDir()), client: connect(t, server.Addr())}
			runLog(t, b.log)
			var fine atomic.Bool
			work := func() (stop func() error) {
				return runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: func(_ context.Context, d Delivery) error {
					if !fine.Load() && d.Event.ID < eventID(6) {
						return fmt.Errorf("%w: 422", ErrPermanent)
					}
					return f.do(d.Event, func() error { return nil })
				}}))
			}
			stop := work()
			appendEvents(t, b.log, 0, 70)
			eventually(t, "all is handled", func() bool { return f.count() == 64 && b.idle(t, "crm")() })
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, d := range deadLetters(t, b, "", 6) {
				ids = append(ids, d.ID)
			}
			if _, err := b.client.Replay(t.Context(), "crm", ids...); err != nil {
				t.Fatal(err)
			}
			server.Kill()
			cutInside(t, server, ":kept", part)
			resume(t, server)
			appendEvents(t, b.log, 70, 100)
			eventually(t, "all is sent", allSent(b.log))
			if n, err := b.client.Drop(t.Context(), "crm", ids[:3]...); n != 3 || err != nil {
				t.Fatal(n, err)
			}
			if n, err := b.client.Replay(t.Context(), "crm", ids[3]); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			killAndResume(t, server)
			fine.Store(true)
			work()
			eventually(t, "all is done", func() bool { return allSent(b.log)() && f.count() >= 95 && b.idle(t, "crm")() })
			if n := f.count(); n != 95 {
				t.Fatalf("%d done, want all but the two that are still dead and the three that were dropped", n)
			}
			if left := deadLetters(t, b, "", 2); left[0].ID != ids[4] || left[1].ID != ids[5] {
				t.Fatal(left)
			}
			b.nothingLeft(t, "crm")
		})
	}
}

// After entries were taken out, Redis cannot tell how far a group is behind.
func TestLagThatRedisCannotTell(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 70)
	eventually(t, "all is sent", allSent(b.log))
	first := b.client.rdb.XRangeN(t.Context(), "markaz:events", "-", "+", 2).Val()
	for _, cmd := range [][]any{
		{"XGROUP", "CREATE", "markaz:events", "crm", first[0].ID},
		{"HSET", "markaz:group:crm:state", "last", first[0].ID},
		{"XDEL", "markaz:events", first[1].ID},
		{"XSETID", "markaz:events", "99999999999999-0"},
	} {
		if err := b.client.rdb.Do(t.Context(), cmd...).Err(); err != nil {
			t.Fatal(cmd, err)
		}
	}
	if n := b.status(t, "crm").Lag; n != 68 {
		t.Fatal(n)
	}
	runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: handled(f)}))
	eventually(t, "all is done", func() bool { return f.count() == 68 && b.idle(t, "crm")() })
}

// A user who may not do what healing needs sends events all the same.
func TestRedisThatMayNotBeHealed(t *testing.T) {
	for _, denied := range []string{"-xsetid", "-restore", "-dump", "-del", "-lrange", "-xinfo"} {
		t.Run(denied, func(t *testing.T) {
			server := startRedis(t, "everysec")
			admin := connect(t, server.Addr())
			if err := admin.rdb.Do(t.Context(), "ACL", "SETUSER", "calls", "on", ">secret", "~*", "&*", "+@all", denied).Err(); err != nil {
				t.Fatal(err)
			}
			cfg, h := testConfig(server.Addr(), t.TempDir()), new(heard)
			cfg.Redis.Username, cfg.Redis.Password = "calls", "secret"
			if err := admin.rdb.XGroupCreateMkStream(t.Context(), "markaz:events", "crm", "0").Err(); err != nil {
				t.Fatal(err)
			}
			if err := admin.rdb.HSet(t.Context(), "markaz:group:crm:state", "last", "0").Err(); err != nil {
				t.Fatal(err)
			}
			l, err := Open(cfg, h.logger())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			runLog(t, l)
			appendEvents(t, l, 0, 500)
			eventually(t, "all is sent", allSent(l))
			wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 500))
			told := slices.DeleteFunc(h.lines, func(s string) bool { return !strings.Contains(s, "healed") })
			if len(told) != 1 {
				t.Fatal(h.lines)
			}
		})
	}
}

// Healing what needs none changes nothing, however many do it at once.
func TestHealingChangesNothing(t *testing.T) {
	server := startRedis(t, "always")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	appendEvents(t, l, 0, 70)
	eventually(t, "all is sent", allSent(l))
	(&ledger{done: map[string]int{}}).work(t, server.Addr(), 10)
	c := connect(t, server.Addr())
	before := dumpAll(t, c)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if err := c.heal(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := c.rdb.LLen(t.Context(), "markaz:seams").Val(); n < 1 || n > seamsKept {
		t.Fatal(n)
	}
	if after := dumpAll(t, c); !slices.Equal(before, after) {
		t.Fatalf("%d keys before, %d after, or others", len(before), len(after))
	}
	appendEvents(t, l, 70, 100)
	eventually(t, "all is sent", allSent(l))
	wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 100))
}

// dumpAll is everything but the stream and the seams.
func dumpAll(t testing.TB, c *Client) (out []string) {
	t.Helper()
	for _, key := range c.rdb.Keys(t.Context(), "*").Val() {
		if key != c.keys.events() && key != c.keys.seams() {
			out = append(out, key+c.rdb.Dump(t.Context(), key).Val())
		}
	}
	slices.Sort(out)
	return out
}
