package asterisk

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
)

// The event of a recording's end does not come, or late: its conversation was
// removed, and no channel of ours was in there. The end is told all the same,
// once, before the next conversation of the call begins.
func TestTheEndOfARecordingThatIsNotToldIsAskedFor(t *testing.T) {
	const id = "01M8QK5RNP7S8FHXN118C7V4Y8"
	var asked atomic.Int32
	begun := make(chan int32, 1)
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/recordings/live/"):
			if asked.Add(1) < 3 { // the recorder is still busy with its file
				_, _ = w.Write([]byte(`{}`))
				return
			}
			http.NotFound(w, r)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/bridges/"+id):
			begun <- asked.Load()
			_, _ = w.Write([]byte(`{}`))
		default:
			ok(w, r)
		}
	})
	b.work(t)
	b.Do(call.Record{Call: id, Bridge: id, ID: id + "-r1"})
	b.removeBridge(id)
	b.Do(call.Bridge{Call: id, ID: id})
	if e := b.next(t); e.Kind != call.RecordingStopped || e.Recording != id+"-r1" || e.Call != id {
		t.Errorf("got %+v", e)
	}
	late := lib.LiveRecordingData{Name: id + "-r1", TargetURI: "bridge:" + id}
	b.recordingStarted(ari.Event{}, late)
	b.recordingFinished(ari.Event{}, late)
	b.recordingFinished(ari.Event{}, lib.LiveRecordingData{Name: id + "-r2", TargetURI: "bridge:" + id})
	if e := b.next(t); e.Kind != call.RecordingStopped || e.Recording != id+"-r2" {
		t.Errorf("got %+v", e)
	}
	if n := <-begun; n != 3 {
		t.Errorf("the next conversation began after %d questions", n)
	}
	if left := b.legs.tapes(""); len(left) > 0 {
		t.Errorf("%v are under way", left)
	}
}
