package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/call"
)

func TestSnapshotAndDeltas(t *testing.T) {
	s := newStage(t, Config{})
	s.log.Append(ring("1", "sales", "101")[:2]...)
	b := s.open("boss", "")
	b.until("snapshot", has("c:1", `"state":"queued"`))
	s.log.Append(ring("1", "sales", "101")[2])
	b.until("ringing", has("x:101", `"state":"ringing"`))
	s.hub.Note(ring("1", "sales", "101")[3]) // this process tells it before the log does
	b.until("not ringing", has("x:101", `"state":"offline"`))
	s.log.Append(ring("1", "sales", "101")[3:]...)
	b.until("ended", hasNot("c:1"))
	if b.rows["e:1"] == nil || slices.Contains(b.kinds[1:], "snapshot") && b.kinds[0] != "loading" {
		t.Errorf("%v %s", b.kinds, b.rows)
	}
}

// A user sees the calls of his own extension alone, in snapshot, change and
// resumption; of the others he sees that they are busy, not with whom.
func TestWhoSeesWhat(t *testing.T) {
	s := newStage(t, Config{})
	s.who["sara"] = see("sara", "101")
	s.who["blind"] = Viewer{Name: "blind"}
	b, blind := s.open("sara", ""), s.open("blind", "")
	for _, id := range []string{"1", "2"} {
		s.log.Append(ring(id, "sales", "10"+id)[:3]...)
	}
	seen := func(b *browser) {
		t.Helper()
		b.until("own call", has("x:101", `"peer":"09121"`))
		b.until("the other's state", has("x:102", `"state":"ringing"`))
		all, _ := json.Marshal(b.rows)
		if strings.Contains(string(all), "09122") || b.rows["c:2"] != nil || b.rows["c:1"] == nil {
			t.Errorf("sara sees %s", all)
		}
	}
	seen(b)
	seen(s.open("sara", ""))
	seen(s.open("sara", "test.0"))
	if snap := string(s.hub.Snapshot(s.who["sara"])); strings.Contains(snap, "09122") || !strings.Contains(snap, "09121") {
		t.Errorf("snapshot: %s", snap)
	}
	s.hub.Note(call.Event{ID: "n", Kind: call.RequestRefused, Agent: "sara", Ref: "r1", Reason: "no", SeenAt: time.Now()})
	b.until("a word to her", func(rows map[string]json.RawMessage) bool { return rows["n:n"] != nil })
	for range 2 {
		if _, err := blind.next(); err != nil || len(blind.rows) > 0 {
			t.Errorf("who may see nothing sees %s, %v", blind.rows, err)
		}
	}
	if c := s.open("boss", ""); c != nil {
		c.until("the boss", has("c:2", "09122"))
		if c.rows["n:n"] != nil {
			t.Error("the boss reads what was told to Sara")
		}
	}
}

// When a transfer takes a call out of what a user sees, it goes from his page.
func TestWhatIsSeenNoMoreGoes(t *testing.T) {
	s := newStage(t, Config{})
	v := see("sara", "101")
	v.See.Not = []string{"102"}
	s.who["sara"] = v
	s.log.Append(ring("1", "sales", "101")[:3]...)
	b := s.open("sara", "")
	b.until("seen", has("c:1", "09121"))
	e := ring("1", "sales", "102")[2]
	e.ID, e.Seq, e.Leg = "x", 4, "1b"
	s.log.Append(e)
	b.until("gone", hasNot("c:1"))
	b.until("bare", has("x:101", `"state":"ringing"`))
	if strings.Contains(string(b.rows["x:101"]), "09121") {
		t.Errorf("%s", b.rows["x:101"])
	}
}

// A page that was away gets what it missed and nothing else; one that was away
// for too long, or of another run, gets a snapshot.
func TestResume(t *testing.T) {
	s := newStage(t, Config{Every: time.Millisecond})
	b := s.open("boss", "")
	s.log.Append(ring("1", "sales", "101")[:2]...)
	b.until("queued", has("c:1", "queued"))
	b.close()
	s.log.Append(ring("1", "sales", "101")[2:]...)
	s.log.Append(ring("2", "sales", "102")[:3]...)
	s.open("boss", "").until("the new call", has("x:102", "ringing"))

	again := s.open("boss", b.id)
	again.rows = b.rows
	again.until("the new call", has("x:102", "ringing"))
	if slices.Contains(again.kinds, "snapshot") || again.rows["c:1"] != nil || again.rows["e:1"] == nil {
		t.Errorf("%v %s", again.kinds, again.rows)
	}
	for _, id := range []string{"other.1", "test.zz", "test.-1", "%00", strings.Repeat("9", 100)} {
		c := s.open("boss", id)
		c.until(id, has("x:102", "ringing"))
		if c.kinds[0] != "snapshot" {
			t.Errorf("%q: %v", id, c.kinds)
		}
	}
	for i := range kept + 5 {
		s.log.Append(call.Event{ID: fmt.Sprint("p", i), Kind: call.AgentChanged, Agent: "sara", State: "paused", Reason: fmt.Sprint("r", i), At: time.Now(), SeenAt: time.Now()})
		again.until("pause", has("x:101", fmt.Sprintf(`"reason":"r%d"`, i)))
	}
	late := s.open("boss", b.id)
	late.until("the last pause", has("x:101", fmt.Sprintf(`"reason":"r%d"`, kept+4)))
	if late.kinds[0] != "snapshot" {
		t.Errorf("%v", late.kinds)
	}
}

// When the log cannot vouch for what it told, the board is built anew and the
// pages go on, without what is no more.
func TestAGapInTheLog(t *testing.T) {
	s := newStage(t, Config{})
	s.log.Append(ring("1", "sales", "101")[:3]...)
	b := s.open("boss", "")
	b.until("ringing", has("x:101", "ringing"))
	s.log.mu.Lock()
	s.log.events = ring("2", "sales", "102")[:3]
	s.log.mu.Unlock()
	s.log.fail(errors.New("gap"))
	b.until("the other call", has("x:102", "ringing"))
	b.until("no more", hasNot("c:1"))
}

func TestHeartbeatAndFarewell(t *testing.T) {
	s := newStage(t, Config{Heartbeat: 20 * time.Millisecond})
	b := s.open("boss", "")
	for {
		name, err := b.next()
		if err != nil {
			t.Fatal(err)
		}
		if name == "beat" {
			break
		}
	}
	p := page{h: s.hub, who: func() (Viewer, bool) { return Viewer{}, false }, w: httptest.NewRecorder()}
	p.out = http.NewResponseController(p.w)
	if p.look() {
		t.Error("who may not see any more is kept")
	}
	res, err := http.Get(s.srv.URL + "?who=nobody")
	if err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v %v", res, err)
	}
	_ = res.Body.Close()
}
