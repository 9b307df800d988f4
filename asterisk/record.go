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
type taping struct {
	call, bridge string
	over         bool // its end is being told
}

// recordingLane is the lane of the conversation that a recording is of.
func (s *Switch) recordingLane(id string) string {
	if t, ok := s.legs.taping(id); ok {
		return bridgeLane(t.bridge)
	}
	return "recording/" + id
}

func (s *Switch) record(a call.Record) {
	s.legs.tape(a.ID, taping{call: a.Call, bridge: a.Bridge})
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
	s.tellRecordingEnd(e, r, call.Event{Kind: call.RecordingStopped, DurationMS: time.Duration(r.Duration).Milliseconds()})
}

func (s *Switch) recordingFailed(e ari.Event, r lib.LiveRecordingData) {
	s.tellRecordingEnd(e, r, call.Event{Kind: call.RecordingFailed, Reason: r.Cause})
}

// tellRecordingEnd tells the end of a recording once: we may have learnt of it
// by asking, and get the event all the same.
func (s *Switch) tellRecordingEnd(e ari.Event, r lib.LiveRecordingData, out call.Event) {
	if s.legs.over(r.Name) {
		s.tellRecording(e, r, out)
		s.legs.untape(r.Name)
	}
}

func (s *Switch) tellRecording(e ari.Event, r lib.LiveRecordingData, out call.Event) {
	t, known := s.legs.taping(r.Name)
	if t.call == "" { // begun by an earlier process; when it ends its bridge may be empty already
		id, _, _ := strings.Cut(r.Name, "-")
		bridge, isBridge := strings.CutPrefix(r.TargetURI, "bridge:")
		if _, ours := call.TimeOf(id); !ours || !isBridge {
			return
		}
		if t.call, t.bridge = id, bridge; !known && !s.legs.tape(r.Name, t) {
			return
		}
	}
	out.Call, out.Recording, out.At = t.call, r.Name, e.At
	s.emit(out)
}

const (
	tapeRunsOn = time.Second // how long a recorder may outlive its conversation
	tapePause  = 20 * time.Millisecond
)

// tapesEnd tells the ends of the recordings of a conversation that was removed.
// Asterisk tells us of a bridge only while a channel of ours is in it, so the
// event may have been made too late to reach us. Unless the end is told before
// the next conversation of the call begins, that is not recorded.
func (s *Switch) tapesEnd(ctx context.Context, bridge string) {
	for patience := tapeRunsOn; ; patience -= tapePause {
		s.askTapes(ctx, s.legs.tapes(bridge))
		if len(s.legs.tapes(bridge)) == 0 || patience <= 0 {
			return
		}
		select {
		case <-time.After(tapePause):
		case <-ctx.Done():
			return
		}
	}
}

// askTapes tells which recordings have ended.
func (s *Switch) askTapes(ctx context.Context, ids []string) {
	for _, id := range ids {
		if running, err := s.ari.Recording(ctx, id); err == nil && !running {
			s.recordingFinished(ari.Event{At: s.now()}, lib.LiveRecordingData{Name: id})
		}
	}
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
