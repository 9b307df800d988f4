package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"markaz/call"
	"markaz/lang"
	"markaz/stream"
)

// Commands that ask the running server for something go the way of every other
// program: through its API, with the token of http.token.

type spyCmd struct {
	Call   string        `arg:"" help:"Id of the call as markaz calls --live shows it, or its end as markaz events does."`
	As     string        `required:"" placeholder:"EXT" help:"Extension of the phone that is to listen."`
	Mode   string        `enum:"spy,whisper,barge,takeover,end" default:"spy" help:"spy, whisper, barge, takeover or end."`
	Leg    string        `help:"Who is to be heard, if not the agent."`
	Reason string        `help:"Why; it is kept in the audit log."`
	Limit  time.Duration `help:"After which it ends by itself."`
}

// Run asks for a monitor and says whether it works.
func (c spyCmd) Run(ctx context.Context, cmd *cli, con console) (err error) {
	if c.Call, err = wholeID(ctx, cmd.Config, con, c.Call); err != nil {
		return err
	}
	return ask(ctx, cmd.Config, con, question{
		path: "/v1/monitors",
		body: map[string]any{"call": c.Call, "extension": c.As, "mode": c.Mode, "leg": c.Leg, "reason": c.Reason, "limit_seconds": int(c.Limit.Seconds())},
		done: func(e call.Event, _ string) (string, bool) {
			switch {
			case e.Call != c.Call:
			case e.Kind == call.MonitorStarted || e.Kind == call.MonitorMode:
				return e.Address + " listens: " + e.Mode, true
			case e.Kind == call.MonitorEnded:
				return e.Address + " listens no more: " + lang.New().T(os.Getenv("LANG"), "spy.ended."+e.Reason), c.Mode == call.StopSpy || c.Mode == call.Takeover
			case e.Kind == call.TransferCompleted && e.Reason == call.Takeover:
				return e.To + " has taken the call over", true
			}
			return "", false
		},
	})
}

type dialCmd struct {
	Number   string `arg:"" help:"The number, as a person would dial it."`
	From     string `required:"" placeholder:"EXT" help:"Extension of the phone that rings first."`
	CallerID string `name:"caller-id" help:"The number to be shown."`
	Key      string `help:"Asked again with the same key, nobody is called twice."`
}

// Run has a number called and says how that went.
func (c dialCmd) Run(ctx context.Context, cmd *cli, con console) error {
	words := lang.New()
	id := ""
	failed := ""
	err := ask(ctx, cmd.Config, con, question{
		path: "/v1/dials", key: c.Key,
		body: map[string]any{"to": c.Number, "extension": c.From, "caller_id": c.CallerID},
		done: func(e call.Event, ref string) (string, bool) {
			switch {
			case e.Kind == call.CallStarted && e.Ref == ref:
				id = e.Call
				return "call " + id + ": " + e.From + " rings", false
			case e.Call != id || id == "":
			case e.Kind == call.LegRinging && e.Role == call.RoleExternal:
				return "it rings", false
			case e.Kind == call.CallAnswered:
				return words.T(os.Getenv("LANG"), "clicktocall.ended.answered"), true
			case e.Kind == call.CallEnded:
				key := "clicktocall.ended." + string(e.Disposition)
				if own := "clicktocall.ended." + e.Reason; e.Reason != "" && words.Has(own) {
					key = own
				}
				failed = words.T(os.Getenv("LANG"), key)
				return "", true
			}
			return "", false
		},
	})
	if err == nil && failed != "" {
		return exit(exitFailure, "%s", failed)
	}
	return err
}

type hangupCmd struct {
	Call string `arg:"" help:"Id of the call as markaz calls --live shows it, or its end as markaz events does."`
	Leg  string `help:"Only this party."`
}

// Run has a call ended.
func (c hangupCmd) Run(ctx context.Context, cmd *cli, con console) (err error) {
	if c.Call, err = wholeID(ctx, cmd.Config, con, c.Call); err != nil {
		return err
	}
	return ask(ctx, cmd.Config, con, question{
		path: "/v1/calls/" + c.Call + "/actions",
		body: map[string]any{"action": "hangup", "leg": c.Leg},
		done: func(e call.Event, _ string) (string, bool) {
			if e.Call == c.Call && (e.Kind == call.CallEnded || c.Leg != "" && e.Kind == call.LegEnded && e.Leg == c.Leg) {
				return "ended", true
			}
			return "", false
		},
	})
}

// question is a request and how to know from the events what became of it.
type question struct {
	path, key string
	body      map[string]any
	done      func(e call.Event, ref string) (say string, done bool)
}

// patience is how long a command waits for the result of what it asked for.
const patience = 90 * time.Second

var errDone = errors.New("done")

// ask sends a request and follows the events until it is known how it went.
func ask(ctx context.Context, path string, con console, q question) error {
	cfg, client, err := reading(path, con)
	if err != nil {
		return err
	}
	defer client.Close()
	asked := time.Now()
	ref, err := send(ctx, cfg, q)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var refused error
	see := func(e stream.Entry) error {
		if e.Event.SeenAt.Before(asked) {
			return nil
		}
		if e.Event.Kind == call.RequestRefused && e.Event.Ref == ref {
			refused = exit(exitFailure, "%s", lang.New().T(os.Getenv("LANG"), e.Event.Reason))
			return errDone
		}
		say, done := q.done(e.Event, ref)
		if say != "" {
			fmt.Fprintln(con.out, say)
		}
		if done {
			return errDone
		}
		return nil
	}
	reader := stream.NewReader(client)
	last, err := reader.Snapshot(ctx, time.Now().Add(-5*time.Second), see)
	if err == nil {
		err = reader.Tail(ctx, last, see)
	}
	switch {
	case errors.Is(err, errDone):
		return refused
	case ctx.Err() != nil:
		return exit(exitFailure, "asked for as %s, but nothing has become of it yet", ref)
	}
	return unreachable(err)
}

// send posts a request and returns its id.
func send(ctx context.Context, cfg *config, q question) (ref string, err error) {
	if cfg.HTTP.Listen == "" || cfg.HTTP.Token == "" {
		return "", exit(exitConfig, "this goes through the API: set http.listen and http.token")
	}
	for k, v := range q.body {
		if v == "" || v == 0 {
			delete(q.body, k)
		}
	}
	body, err := json.Marshal(q.body)
	if err != nil {
		return "", fmt.Errorf("write request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+cfg.HTTP.Listen+q.path, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+string(cfg.HTTP.Token))
	req.Header.Set("Content-Type", "application/json")
	if q.key != "" {
		req.Header.Set("Idempotency-Key", q.key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", exit(exitUnreachable, "%w; does markaz serve run?", err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", exit(exitUnreachable, "read answer: %w", err)
	}
	var answer struct{ Request, Detail, Title string }
	_ = json.Unmarshal(raw, &answer) // what is no JSON has no detail
	switch {
	case res.StatusCode == http.StatusAccepted:
		return answer.Request, nil
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return "", exit(exitRefused, "%s", answer.Detail)
	case res.StatusCode == http.StatusUnprocessableEntity && answer.Detail != "":
		return "", exit(exitConfig, "%s", answer.Detail)
	}
	return "", exit(exitFailure, "%s", cmp.Or(answer.Detail, res.Status))
}
