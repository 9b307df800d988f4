package asterisk

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
)

// taping is a recording under way.
type taping struct{ call, bridge string }

// recordingLane is the lane of the conversation that a recording is of.
func (s *Switch) recordingLane(id string) string {
	if t, ok := s.legs.taping(id); ok {
		return bridgeLane(t.bridge)
	}
	return "recording/" + id
}

func (s *Switch) record(a call.Record) {
	s.legs.tape(a.ID, taping{a.Call, a.Bridge})
	s.inLane(bridgeLane(a.Bridge), a, func(ctx context.Context) error {
		// A name with a slash is recorded and then cannot be fetched.
		if !madeOf(a.ID, letters+decimal+"_-", 96) {
			return errors.New("not a name for a recording")
		}
		err := s.ari.Record(ctx, a.Bridge, a.ID)
		if ari.Status(err) == http.StatusConflict {
			if running, _ := s.ari.Recording(ctx, a.ID); running {
				return nil // begun by an earlier try
			}
		}
		return err
	})
}

func (s *Switch) pauseRecord(ctx context.Context, a call.PauseRecord) error {
	if err := s.ari.PauseRecording(ctx, a.ID, a.Pause); err != nil {
		return err
	}
	kind := call.RecordingPaused // Asterisk has no event for it
	if !a.Pause {
		kind = call.RecordingResumed
	}
	t, _ := s.legs.taping(a.ID)
	s.emit(call.Event{Kind: kind, Call: t.call, Recording: a.ID})
	return nil
}

func (s *Switch) recordingStarted(e ari.Event, r lib.LiveRecordingData) {
	s.tellRecording(e, r, call.Event{Kind: call.RecordingStarted})
}

// recordingFinished trusts the length only as a hint: Asterisk counts frames
// that came, and states an end on a full disk too.
func (s *Switch) recordingFinished(e ari.Event, r lib.LiveRecordingData) {
	s.tellRecording(e, r, call.Event{Kind: call.RecordingStopped, DurationMS: time.Duration(r.Duration).Milliseconds()})
	s.legs.untape(r.Name)
}

func (s *Switch) recordingFailed(e ari.Event, r lib.LiveRecordingData) {
	s.tellRecording(e, r, call.Event{Kind: call.RecordingFailed, Reason: r.Cause})
	s.legs.untape(r.Name)
}

func (s *Switch) tellRecording(e ari.Event, r lib.LiveRecordingData, out call.Event) {
	t, known := s.legs.taping(r.Name)
	if !known { // begun by an earlier process; when it ends its bridge may be empty already
		id, _, _ := strings.Cut(r.Name, "-")
		bridge, isBridge := strings.CutPrefix(r.TargetURI, "bridge:")
		if _, ours := call.TimeOf(id); !ours || !isBridge {
			return
		}
		t = taping{id, bridge}
		s.legs.tape(r.Name, t)
	}
	out.Call, out.Recording, out.At = t.call, r.Name, e.At
	s.emit(out)
}

// FetchRecording copies a finished recording (a WAV file) to w and returns its
// length in bytes. Only ctx limits how long that may take.
func (s *Switch) FetchRecording(ctx context.Context, id string, w io.Writer) (int64, error) {
	return s.ari.FetchRecording(ctx, id, w)
}

// DeleteRecording removes a finished recording from Asterisk; it is no error
// when it is not there.
func (s *Switch) DeleteRecording(ctx context.Context, id string) error {
	return ignoreGone(s.ari.DeleteRecording(ctx, id))
}

// StoredRecordings lists the ids of the finished recordings on Asterisk.
func (s *Switch) StoredRecordings(ctx context.Context) ([]string, error) {
	return s.ari.StoredRecordings(ctx)
}
