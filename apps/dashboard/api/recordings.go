package api

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
	"markaz/call"
)

type recordingIn struct {
	ID        string `path:"id" maxLength:"64" doc:"Id of the call"`
	Recording string `path:"recording" maxLength:"128" doc:"Id of the recording"`
	Download  bool   `query:"download" doc:"As a file to be kept; needs the right download"`
}

func (a *API) declareRecordings() {
	type out struct {
		Body func(huma.Context)
	}
	add(a, anyone, huma.Operation{
		OperationID: "recording", Method: http.MethodGet, Path: "/v1/calls/{id}/recordings/{recording}",
		Summary:     "The sound of a call",
		Description: "A WAV file; parts of it by the header Range. Needs the right `play`, or `download`. Who listens is written down and shown to others.",
		Errors:      []int{404, 416},
		Responses: map[string]*huma.Response{
			"200": {Description: "All of it", Content: map[string]*huma.MediaType{"audio/wav": {}}},
			"206": {Description: "The part that was asked for", Content: map[string]*huma.MediaType{"audio/wav": {}}},
		},
	}, func(ctx context.Context, v *visit, in *recordingIn) (*out, error) {
		serve, err := a.recording(ctx, v, in)
		return &out{Body: func(huma.Context) { serve() }}, err
	})

	type listened struct {
		Body struct {
			Listened []Listen `json:"listened"`
		}
	}
	add(a, anyone, huma.Operation{
		OperationID: "listened", Method: http.MethodGet, Path: "/v1/calls/{id}/listened", Errors: []int{404},
		Summary: "Who has listened to the recordings of a call", Description: "Needs the right `play`.",
	}, func(ctx context.Context, v *visit, in *callID) (*listened, error) {
		c, err := a.anyCall(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if err := v.need(ctx, access.Play, access.OfTalk(c), c.ID); err != nil {
			return nil, err
		}
		who, err := a.dep.History.Listened(ctx, c.ID)
		o := &listened{}
		o.Body.Listened = list(who)
		return o, err
	})
}

// recording makes sure that somebody may hear a recording, writes down that he
// does, and returns what sends it.
func (a *API) recording(ctx context.Context, v *visit, in *recordingIn) (func(), error) {
	c, err := a.anyCall(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	right, how := access.Play, "play"
	if in.Download {
		right, how = access.Download, "download"
	}
	if err := v.need(ctx, right, access.OfTalk(c), c.ID+"/"+in.Recording); err != nil {
		return nil, err
	}
	r := recordingOf(c, in.Recording)
	if r == nil {
		return nil, fail(http.StatusNotFound, "E4045", "The call has no such recording, or it is not complete yet.")
	}
	sound, err := a.dep.Sound(*r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(http.StatusNotFound, "E4046", "The recording is not in the archive any more.")
	}
	if err != nil {
		return nil, err
	}
	if err := a.hears(ctx, v, c, r, how); err != nil {
		return nil, errors.Join(err, sound.Close())
	}
	return func() {
		defer sound.Close()
		_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(time.Hour)) // long calls on slow lines; no server of ours lacks it
		h := v.w.Header()
		h.Set("Content-Type", "audio/wav")
		h.Set("Cache-Control", "private, no-store")
		if in.Download {
			h.Set("Content-Disposition", `attachment; filename="`+fileName(c, r)+`"`)
		}
		http.ServeContent(v.w, v.r, "", time.Time{}, sound)
	}, nil
}

func recordingOf(c *call.Call, id string) *call.Recording {
	for i := range c.Recordings {
		if r := &c.Recordings[i]; r.ID == id && r.File != "" && r.State != "deleted" {
			return r
		}
	}
	return nil
}

// fileName is what a download is called, of letters that every system takes.
func fileName(c *call.Call, r *call.Recording) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' {
			return c
		}
		return '-'
	}, c.Started.UTC().Format("2006-01-02-150405")+"-"+r.ID) + ".wav"
}

// sameListening is how long the parts that a player fetches count as one.
const sameListening = 10 * time.Minute

const maxHeard = 10_000

// hears writes down that somebody listens, once for all parts that his player
// fetches.
func (a *API) hears(ctx context.Context, v *visit, c *call.Call, r *call.Recording, how string) error {
	if v.r.Method == http.MethodHead {
		return nil
	}
	now := a.dep.Now()
	key := strings.Join([]string{v.user.Name, c.ID, r.ID, how}, "\x00")
	a.mu.Lock()
	known := now.Sub(a.heard[key]) < sameListening
	a.mu.Unlock()
	if known && how == "play" {
		return nil
	}
	if err := v.record(ctx, c.ID+"/"+r.ID, "", how); err != nil {
		return err
	}
	l := Listen{At: now, Call: c.ID, Recording: r.ID, Who: v.user.Name, From: a.dep.Gate.Address(v.r), How: how}
	if err := a.dep.History.Heard(ctx, l); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.heard) >= maxHeard {
		clear(a.heard)
	}
	a.heard[key] = now
	return nil
}
