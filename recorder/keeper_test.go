package recorder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"markaz/call"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pbx is a Source that keeps its recordings in memory and can fail.
type pbx struct {
	mu      sync.Mutex
	sounds  map[string][]byte
	fails   []error // of the next calls of Fetch
	list    error
	fetched int
	block   chan struct{} // holds Fetch up
}

func (p *pbx) Fetch(ctx context.Context, id string, w io.Writer) error {
	p.mu.Lock()
	p.fetched++
	sound, ok := p.sounds[id]
	var fail error
	if len(p.fails) > 0 {
		fail, p.fails = p.fails[0], p.fails[1:]
	}
	block := p.block
	p.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fail != nil {
		_, _ = w.Write(sound[:len(sound)/2]) // the line breaks half-way
		return fail
	}
	if !ok {
		return fmt.Errorf("fetch: %w", fs.ErrNotExist)
	}
	_, err := w.Write(sound)
	return err
}

func (p *pbx) Delete(_ context.Context, id string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sounds, id)
	return nil
}

func (p *pbx) List(context.Context) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for id := range p.sounds {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, p.list
}

// rig is a keeper with a PBX and a log around it.
type rig struct {
	*Keeper
	t    *testing.T
	pbx  *pbx
	now  time.Time
	cfg  Config
	mu   sync.Mutex
	log  []call.Event
	used float64
}

const rec = aCall + "-r1"

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(t.TempDir(), "archive")
	}
	cfg.Zone = "Asia/Tehran"
	r := &rig{t: t, pbx: &pbx{sounds: map[string][]byte{}}, now: begun, cfg: cfg}
	r.restart()
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// restart makes a new keeper over the same archive, log and PBX.
func (r *rig) restart() {
	r.t.Helper()
	if r.Keeper != nil {
		_ = r.Close()
	}
	k, err := NewKeeper(r.cfg, Deps{
		Source: r.pbx, History: r.history, Report: r.record, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return r.now }, Used: func() (float64, error) { return r.used, nil },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Keeper = k
}

func (r *rig) record(e call.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.At.IsZero() {
		e.At = r.now
	}
	r.log = append(r.log, e)
}

func (r *rig) history(_ context.Context, id string) ([]call.Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []call.Event
	for _, e := range r.log {
		if e.Call == id {
			out = append(out, e)
		}
	}
	return out, nil
}

// talk writes the events of a call that is recorded for so long.
func (r *rig) talk(d time.Duration) call.Event {
	r.record(call.Event{Kind: call.CallStarted, Call: aCall, From: "+989121234567", To: "02188776655", Direction: call.Inbound})
	r.now = r.now.Add(5 * time.Second)
	r.record(call.Event{Kind: call.CallAnswered, Call: aCall, Leg: "a", Address: "101"})
	r.record(call.Event{Kind: call.RecordingStarted, Call: aCall, Recording: rec})
	r.now = r.now.Add(d)
	stop := call.Event{Kind: call.RecordingStopped, Call: aCall, Recording: rec, At: r.now}
	r.record(stop)
	r.record(call.Event{Kind: call.CallEnded, Call: aCall})
	return stop
}

// hear gives the keeper the events that were written since from.
func (r *rig) hear(from int) {
	r.t.Helper()
	for i := from; i < len(r.log); i++ {
		if err := r.Handle(r.t.Context(), r.log[i]); err != nil {
			r.t.Fatalf("%s: %v", r.log[i].Kind, err)
		}
	}
}

// told returns the events of a kind in the log.
func (r *rig) told(kind call.Kind) []call.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.log), func(e call.Event) bool { return e.Kind != kind })
}

// only returns the one event of a kind.
func (r *rig) only(kind call.Kind) call.Event {
	r.t.Helper()
	es := r.told(kind)
	if len(es) != 1 {
		r.t.Fatalf("%d events %s: %+v", len(es), kind, es)
	}
	return es[0]
}

// files names all that lies in the archive.
func (r *rig) files() []string {
	var out []string
	_ = filepath.WalkDir(r.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(r.cfg.Dir, path)
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	return out
}

const wantFile = "2026/03/21/010010_" + rec + "_+989121234567_101.wav"

func TestRecordingIsBroughtIn(t *testing.T) {
	need(t, "soxi")
	r := newRig(t, Config{})
	r.pbx.sounds[rec] = tone(8000, 3)
	r.talk(3 * time.Second)
	r.hear(0)

	e := r.only(call.RecordingAvailable)
	sum := sha256.Sum256(tone(8000, 3))
	want := call.Event{
		ID: "recording.available/" + rec, Kind: call.RecordingAvailable, Live: true, At: r.now, Call: aCall, Recording: rec,
		File: wantFile, DurationMS: 3000, Size: 44 + 3*16000, SHA256: hex.EncodeToString(sum[:]), State: "done",
	}
	if fmt.Sprint(e) != fmt.Sprint(want) {
		t.Errorf("told  %+v\nwant %+v", e, want)
	}
	f, err := r.Open(e.File)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	_ = f.Close()
	if err != nil || !bytes.Equal(data, tone(8000, 3)) {
		t.Errorf("the file holds something else: %v", err)
	}
	if d := soxLength(t, filepath.Join(r.cfg.Dir, e.File)); d != 3*time.Second {
		t.Errorf("sox plays %s", d)
	}
	// hear gave it its own word too: so the PBX may forget the sound.
	if len(r.pbx.sounds) != 0 {
		t.Error("the sound still lies at the source")
	}
	if s := r.Stats(); s.Done != 1 || s.Bytes != uint64(want.Size) || s.Working != 0 || len(r.notes) != 0 {
		t.Errorf("%+v, %d calls remembered", s, len(r.notes))
	}
}

// TestSourceKeepsWhatTheLogDoesNotHave: only the log's word deletes.
func TestSourceKeepsWhatTheLogDoesNotHave(t *testing.T) {
	r := newRig(t, Config{})
	r.pbx.sounds[rec], r.pbx.sounds["telsa-1"] = tone(8000, 1), tone(8000, 1)
	stop := r.talk(time.Second)
	if err := r.Handle(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	if r.pbx.sounds[rec] == nil {
		t.Fatal("the sound was deleted before the log had the event")
	}
	e := r.only(call.RecordingAvailable)
	for name, strange := range map[string]call.Event{
		"somebody else's event": {Kind: e.Kind, Call: e.Call, Recording: rec, File: e.File, ID: "x"},
		"another file":          {Kind: e.Kind, Call: e.Call, Recording: rec, File: "2026/03/21/000000_x_1_2.wav", ID: e.ID},
		"no id of ours":         {Kind: e.Kind, Call: e.Call, Recording: "telsa-1", File: e.File, ID: "recording.available/telsa-1"},
	} {
		if err := r.Handle(t.Context(), strange); err != nil || len(r.pbx.sounds) != 2 {
			t.Errorf("%s: %v, left %d", name, err, len(r.pbx.sounds))
		}
	}
	if err := r.Handle(t.Context(), e); err != nil || r.pbx.sounds[rec] != nil {
		t.Errorf("%v, deleted %v", err, r.pbx.sounds[rec] == nil)
	}
}

func TestReportedOnce(t *testing.T) {
	r := newRig(t, Config{})
	r.pbx.sounds[rec] = tone(8000, 1)
	stop := r.talk(time.Second)
	written := slices.Clone(r.log)
	r.dep.History = func(context.Context, string) ([]call.Event, error) { return written, nil } // lags behind
	for range 3 {                                                                               // the log gives an event again when the last answer got lost
		if err := r.Handle(t.Context(), stop); err != nil {
			t.Fatal(err)
		}
	}
	e := r.only(call.RecordingAvailable)
	r.restart()
	for _, again := range []call.Event{stop, e, stop} {
		if err := r.Handle(t.Context(), again); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.only(call.RecordingAvailable)
	if len(r.told(call.RecordingFailed)) > 0 || r.pbx.fetched != 1 {
		t.Errorf("failed: %v, fetched %d times", r.told(call.RecordingFailed), r.pbx.fetched)
	}
}

func TestState(t *testing.T) {
	torn := bytes.Clone(tone(8000, 2))
	copy(torn[40:], []byte{0, 0, 0, 0})
	for _, tt := range []struct {
		name  string
		sound []byte
		talk  time.Duration
		more  []call.Event // before the stop, each a second after the last
		state string
		why   string
	}{
		{"as long as the talk", tone(8000, 2), 2 * time.Second, nil, "done", ""},
		{"within the tolerance", tone(8000, 2), 2500 * time.Millisecond, nil, "done", ""},
		{"too short", tone(8000, 2), 2501 * time.Millisecond, nil, "incomplete", "2s of sound for 2.501s of talk"},
		{"too long", tone(8000, 3), 2 * time.Second, nil, "incomplete", "3s of sound for 2s of talk"},
		{"no sound", tone(8000, 0), 2 * time.Second, nil, "incomplete", "no sound"},
		{"torn but all there", torn, 2 * time.Second, nil, "done", ""},
		{"torn and too short", torn[:20000], 2 * time.Second, nil, "incomplete", "1.247s of sound for 2s of talk"},
		{"paused", tone(8000, 2), 2 * time.Second, []call.Event{{Kind: call.RecordingPaused}, {Kind: call.RecordingPaused}, {Kind: call.RecordingResumed}}, "incomplete", "2s of sound for 3s of talk"},
		{"paused to the end", tone(8000, 1), 2 * time.Second, []call.Event{{Kind: call.RecordingPaused}}, "done", ""},
		{"the PBX gave up", tone(8000, 2), 2 * time.Second, []call.Event{{Kind: call.RecordingFailed, Reason: "disk"}}, "incomplete", "the PBX says: disk"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.pbx.sounds[rec] = tt.sound
			n := newNote(aCall)
			tp := n.tape(rec)
			tp.apply(call.Event{Kind: call.RecordingStarted, At: r.now})
			for _, e := range tt.more {
				r.now = r.now.Add(time.Second)
				e.At = r.now
				tp.apply(e)
			}
			tp.apply(call.Event{Kind: call.RecordingStopped, At: r.now.Add(tt.talk)})
			if err := r.finish(t.Context(), n, rec); err != nil {
				t.Fatal(err)
			}
			e := r.only(call.RecordingAvailable)
			if e.State != tt.state || e.Reason != tt.why {
				t.Errorf("%s %q, want %s %q", e.State, e.Reason, tt.state, tt.why)
			}
			data, err := os.ReadFile(filepath.Join(r.cfg.Dir, e.File))
			if sum := sha256.Sum256(data); err != nil || e.SHA256 != hex.EncodeToString(sum[:]) || e.Size != int64(len(data)) {
				t.Errorf("size %d, sum %s; the file has %d, %x, %v", e.Size, e.SHA256, len(data), sum, err)
			}
		})
	}
}

// TestTriedAgain: whatever breaks on the way is an error, so that the event is
// given again; then all is well.
func TestTriedAgain(t *testing.T) {
	r := newRig(t, Config{})
	r.pbx.sounds[rec] = tone(8000, 1)
	r.pbx.fails = []error{errors.New("connection reset"), io.ErrUnexpectedEOF, context.DeadlineExceeded}
	stop := r.talk(time.Second)
	for i := range 3 {
		if err := r.Handle(t.Context(), stop); err == nil {
			t.Fatalf("try %d succeeds", i)
		}
		if len(r.files()) > 0 || len(r.told(call.RecordingAvailable)) > 0 {
			t.Fatalf("left %v", r.files())
		}
	}
	if err := r.Handle(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	if e := r.only(call.RecordingAvailable); e.State != "done" || !slices.Equal(r.files(), []string{e.File}) {
		t.Errorf("%+v, files %v", e, r.files())
	}
}

// TestHopeless: a sound that is not there, or is none, is waited for a while,
// and then reported once.
func TestHopeless(t *testing.T) {
	for what, sound := range map[string][]byte{"no such recording": nil, "empty": {}, "not a WAV file": []byte("no RIFF, and long enough to be read")} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t, Config{})
			if sound != nil {
				r.pbx.sounds[rec] = sound
			}
			stop := r.talk(time.Second)
			if err := r.Handle(t.Context(), stop); !errors.Is(err, errHopeless) {
				t.Fatalf("at once: %v", err)
			}
			r.now = r.now.Add(settle)
			for range 2 {
				if err := r.Handle(t.Context(), stop); err != nil {
					t.Fatal(err)
				}
			}
			e := r.only(call.RecordingFailed)
			if e.Call != aCall || e.Recording != rec || e.Reason == "" || e.ID != "recording.failed/"+rec {
				t.Errorf("%+v", e)
			}
			r.restart()
			if err := errors.Join(r.Handle(t.Context(), stop), r.scan(t.Context())); err != nil {
				t.Fatal(err)
			}
			r.only(call.RecordingFailed)
			if len(r.files()) > 0 {
				t.Errorf("left %v", r.files())
			}
		})
	}
}

// TestArchiveGone is no reason to give a recording up.
func TestArchiveGone(t *testing.T) {
	r := newRig(t, Config{})
	r.pbx.sounds[rec] = tone(8000, 1)
	stop := r.talk(time.Second)
	r.now = r.now.Add(time.Hour)
	if err := os.RemoveAll(r.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if err := r.Handle(t.Context(), stop); err == nil || errors.Is(err, errHopeless) {
		t.Errorf("without a folder: %v", err)
	}
	if len(r.told(call.RecordingFailed)) > 0 || r.pbx.sounds[rec] == nil {
		t.Error("the recording was given up")
	}
}

// TestPBXSaysFailed: what there is of it is saved, and if there is nothing the
// PBX's word is enough.
func TestPBXSaysFailed(t *testing.T) {
	r := newRig(t, Config{})
	r.pbx.sounds[rec] = tone(8000, 1)
	r.talk(time.Second)
	failed := call.Event{ID: "e1", Kind: call.RecordingFailed, Call: aCall, Recording: rec, Reason: "full", At: r.now}
	r.log[3] = failed // in place of the stop
	r.hear(0)
	if e := r.only(call.RecordingAvailable); e.State != "incomplete" || e.Reason != "the PBX says: full" {
		t.Errorf("%+v", e)
	}
	nothing := failed
	nothing.Recording = aCall + "-r2"
	if err := r.Handle(t.Context(), nothing); err != nil {
		t.Error(err)
	}
	if n := len(r.told(call.RecordingFailed)); n != 1 {
		t.Errorf("told %d failures", n)
	}
}

// TestTwoOfOneCall and TestTwoAtOnce: each has its own file; the same one is
// never fetched twice at a time.
func TestTwoOfOneCall(t *testing.T) {
	r := newRig(t, Config{})
	second := aCall + "-r2"
	r.pbx.sounds[rec], r.pbx.sounds[second] = tone(8000, 1), tone(8000, 1)
	stop := r.talk(time.Second)
	r.record(call.Event{Kind: call.RecordingStarted, Call: aCall, Recording: second, At: r.log[2].At})
	other := stop
	other.Recording = second
	for _, e := range []call.Event{stop, other} {
		if err := r.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.files(); len(got) != 2 || got[0] == got[1] {
		t.Errorf("files %v", got)
	}
}

func TestTwoAtOnce(t *testing.T) {
	r := newRig(t, Config{})
	r.pbx.sounds[rec] = tone(8000, 1)
	r.pbx.block = make(chan struct{})
	stop := r.talk(time.Second)
	done := make(chan error)
	go func() { done <- r.Handle(t.Context(), stop) }()
	for r.Stats().Working == 0 { // until the first is at work
		select {
		case err := <-done:
			t.Fatalf("ended before it began: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	if err := r.Handle(t.Context(), stop); !errors.Is(err, errBusy) {
		t.Errorf("the second: %v", err)
	}
	close(r.pbx.block)
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.only(call.RecordingAvailable)
}

// TestCrash kills the keeper at every step of its way; in the end there is one
// file, reported, and nothing at the source.
func TestCrash(t *testing.T) {
	for name, crash := range map[string]func(r *rig, stop call.Event){
		"before it began": func(*rig, call.Event) {},
		"while it was writing": func(r *rig, _ call.Event) {
			write(r.t, filepath.Join(r.cfg.Dir, filepath.Dir(wantFile), "."+filepath.Base(wantFile)+partMark), "half")
			write(r.t, filepath.Join(r.cfg.Dir, "2026/03/20/.000000_x_1_2.wav"+partMark), "half of what is at the source no more")
		},
		"before it was reported": func(r *rig, stop call.Event) {
			if err := r.Handle(r.t.Context(), stop); err != nil {
				r.t.Fatal(err)
			}
			r.log = slices.DeleteFunc(r.log, func(e call.Event) bool { return e.Kind == call.RecordingAvailable })
		},
		"before the source was told": func(r *rig, stop call.Event) {
			if err := r.Handle(r.t.Context(), stop); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.pbx.sounds[rec] = tone(8000, 1)
			crash(r, r.talk(time.Second))
			r.restart()
			r.now = r.now.Add(time.Hour)
			if err := r.tidy(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := r.scan(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if e := r.only(call.RecordingAvailable); !slices.Equal(r.files(), []string{e.File}) || len(r.pbx.sounds) > 0 || e.State != "done" {
				t.Errorf("%+v, files %v, at the source %d", e, r.files(), len(r.pbx.sounds))
			}
		})
	}
}

// TestScan decides what to do with what lies at the source.
func TestScan(t *testing.T) {
	r := newRig(t, Config{})
	stop := r.talk(time.Second)
	fresh := call.NewID(begun, [10]byte{1})
	old := call.NewID(begun.Add(-48*time.Hour), [10]byte{2})
	r.pbx.sounds = map[string][]byte{
		"somebody-elses": tone(8000, 1), // never touched
		rec:              tone(8000, 1), // the log has its end
		fresh + "-r1":    tone(8000, 1), // the log knows nothing yet: it may go on
		old + "-r1":      tone(8000, 1), // the log knows nothing any more
	}
	if next := r.scanRound(t.Context()); next != graceLeft { // one ended just now: Handle's work
		t.Errorf("looks again after %v", next)
	}
	if got := r.told(call.RecordingAvailable); len(got) != 1 || got[0].Recording != old+"-r1" || got[0].State != "done" || !strings.HasPrefix(got[0].File, "2026/03/19/010005_"+old+"-r1_unknown_unknown") {
		t.Errorf("at once: %+v", got)
	}
	r.now = stop.At.Add(graceLeft)
	if next := r.scanRound(t.Context()); next != scanEvery {
		t.Errorf("looks again after %v", next)
	}
	got := r.told(call.RecordingAvailable)
	if len(got) != 2 || got[1].Recording != rec {
		t.Errorf("later: %+v", got)
	}
	if ids, _ := r.pbx.List(t.Context()); !slices.Contains(ids, "somebody-elses") || !slices.Contains(ids, fresh+"-r1") {
		t.Errorf("at the source: %v", ids)
	}
	r.pbx.list = errors.New("PBX away")
	if err := r.scan(t.Context()); err == nil {
		t.Error("a PBX that is away was scanned")
	}
}

// TestCallLostWhileAway: the PBX died in mid-call, nobody stated the end of
// the recording, but of the call.
func TestCallLostWhileAway(t *testing.T) {
	r := newRig(t, Config{})
	r.pbx.sounds[rec] = tone(8000, 2)[:20000]
	r.talk(2 * time.Second)
	r.log = slices.DeleteFunc(r.log, func(e call.Event) bool { return e.Kind == call.RecordingStopped })
	r.now = r.now.Add(time.Hour)
	if err := r.scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := r.only(call.RecordingAvailable); e.State != "incomplete" || e.File != wantFile {
		t.Errorf("%+v", e)
	}
}

func TestPlanStopsWhenDiskIsFull(t *testing.T) {
	r := newRig(t, Config{Policy: Policy{Rules: []Rule{{}}}})
	for _, tt := range []struct {
		used   float64
		want   bool
		reason string
	}{{50, true, "rule"}, {96, false, "disk full"}, {90, false, "disk full"}, {80, true, "rule"}} {
		r.used = tt.used
		r.diskRound(t.Context())
		if got, why := r.Plan(call.Call{ID: aCall}); got != tt.want || why != tt.reason {
			t.Errorf("at %.0f %%: %v, %s", tt.used, got, why)
		}
	}
}

func TestRetention(t *testing.T) {
	held, heldCall := call.NewID(begun, [10]byte{7}), call.NewID(begun, [10]byte{8})
	r := newRig(t, Config{Retention: Retention{Days: 90, Hold: []string{held + "-r1", heldCall, "+98 (912) 000"}}})
	at := begun.In(tehran(t))
	gone := Name(at, rec, "1", "2")
	stays := []string{
		Name(at, held+"-r1", "1", "2"),
		Name(at, heldCall+"-r1", "1", "2"),
		Name(at, aCall+"-r3", "+98 (912) 000", "2"),
		"2026/03/21/notes.txt",
		"2026/03/21/somebody elses.wav",
		"2026/03/22/000000_" + rec + "_1_2.wav", // a day younger
	}
	for _, f := range append(stays, gone) {
		write(t, filepath.Join(r.cfg.Dir, f), "sound")
	}
	r.now = time.Date(2026, 6, 19, 23, 59, 0, 0, tehran(t))
	sweep := func() {
		t.Helper()
		if err := r.sweep(); err != nil {
			t.Fatal(err)
		}
		r.eraseRound(t.Context())
	}
	sweep()
	if len(r.told(call.RecordingDeleted)) > 0 {
		t.Fatal("deleted on the last day")
	}
	r.now = r.now.Add(time.Minute) // the 91st day
	sweep()
	e := r.only(call.RecordingDeleted)
	if e.Call != aCall || e.Recording != rec || e.File != gone || e.Reason != "retention" || e.ID != "recording.deleted/"+rec {
		t.Errorf("%+v", e)
	}
	if _, err := r.Open(gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still played: %v", err)
	}
	r.now = r.now.Add(recordedIn)
	r.eraseRound(t.Context())
	slices.Sort(stays)
	if got := r.files(); !slices.Equal(got, stays) {
		t.Errorf("left %v\nwant %v", got, stays)
	}
	sweep()
	r.only(call.RecordingDeleted)
}

// TestRetentionTidiesUp: folders that are empty go too, and a deletion that a
// crash interrupted is finished and told again under the same id.
func TestRetentionTidiesUp(t *testing.T) {
	r := newRig(t, Config{Retention: Retention{Days: 1}})
	name := Name(begun.In(tehran(t)), rec, "1", "2")
	write(t, filepath.Join(r.cfg.Dir, name), "sound")
	r.now = begun.AddDate(0, 0, 5)
	if err := r.sweep(); err != nil {
		t.Fatal(err)
	}
	r.restart()
	if got := r.files(); !slices.Equal(got, []string{name + ".deleted"}) {
		t.Fatalf("after the crash lies %v", got)
	}
	if err := r.tidy(); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(recordedIn)
	r.eraseRound(t.Context())
	if left, err := os.ReadDir(r.cfg.Dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if es := r.told(call.RecordingDeleted); len(es) != 2 || es[0].ID != es[1].ID {
		t.Errorf("told %+v", es)
	}
}

func TestDelete(t *testing.T) {
	r := newRig(t, Config{Retention: Retention{Hold: []string{"0912"}}})
	at := begun.In(tehran(t))
	free, held := Name(at, rec, "1", "2"), Name(at, rec, "0912", "2")
	write(t, filepath.Join(r.cfg.Dir, free), "sound")
	write(t, filepath.Join(r.cfg.Dir, held), "sound")
	write(t, filepath.Join(r.cfg.Dir, "2026/secret.wav"), "secret")
	for _, p := range append(hostile("/etc/passwd"), "2026/secret.wav") {
		if err := r.Delete(p, "test"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%q: %v", p, err)
		}
	}
	if err := r.Delete(held, "test"); err == nil || !strings.Contains(err.Error(), "on hold") {
		t.Errorf("held: %v", err)
	}
	if err := r.Delete(free, "asked by the caller"); err != nil {
		t.Error(err)
	}
	if e := r.only(call.RecordingDeleted); e.Reason != "asked by the caller" || e.File != free {
		t.Errorf("%+v", e)
	}
	if err := r.Delete(free, "again"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("again: %v", err)
	}
}

// TestRun goes the rounds on a clock of its own: the PBX is away at first,
// then what was left there is brought in, and the disk is watched.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "archive")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Dir: dir, Retention: Retention{Days: 30}})
		r.pbx.sounds[rec], r.pbx.list = tone(8000, 1), errors.New("PBX away")
		r.talk(time.Second)
		r.used, r.now = 96, r.now.Add(time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()

		synctest.Wait()
		if s := r.Stats(); !s.LastScan.IsZero() || s.Disk != DiskFull || s.LastSweep.IsZero() {
			t.Errorf("at first: %+v", s)
		}
		r.pbx.mu.Lock()
		r.pbx.list = nil
		r.pbx.mu.Unlock()
		time.Sleep(scanRetry + time.Second)
		synctest.Wait()
		r.only(call.RecordingAvailable)
		time.Sleep(scanEvery)
		synctest.Wait()
		if r.only(call.RecordingAvailable); len(r.pbx.sounds) > 0 {
			t.Error("still at the source")
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestHistoryAway(t *testing.T) {
	r := newRig(t, Config{})
	r.pbx.sounds[rec] = tone(8000, 1)
	stop := r.talk(time.Second)
	away := errors.New("Redis away")
	r.dep.History = func(context.Context, string) ([]call.Event, error) { return nil, away }
	if err := r.Handle(t.Context(), stop); !errors.Is(err, away) {
		t.Errorf("handled: %v", err)
	}
	if err := r.scan(t.Context()); !errors.Is(err, away) {
		t.Errorf("scanned: %v", err)
	}
	r.hear(0) // from the start there is no need of it
	r.only(call.RecordingAvailable)
}
