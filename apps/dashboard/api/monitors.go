package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
	"markaz/call"
)

type monitorIn struct {
	Body struct {
		Call      string `json:"call" maxLength:"64" minLength:"1"`
		Leg       string `json:"leg,omitempty" maxLength:"128" doc:"Who is to be heard; without it the agent"`
		Mode      string `json:"mode" enum:"spy,whisper,barge,takeover,end"`
		Extension string `json:"extension,omitempty" maxLength:"32" pattern:"^[0-9A-Za-z*#]*$" doc:"The phone that rings; without it your own"`
		Reason    string `json:"reason,omitempty" maxLength:"200" doc:"Why; kept in the audit log"`
		Limit     int    `json:"limit_seconds,omitempty" minimum:"0" maximum:"86400" doc:"After which it ends by itself"`
	}
}

type changeIn struct {
	ID   string `path:"id" maxLength:"64" doc:"Id of the request that began it"`
	Body struct {
		Mode string `json:"mode" enum:"spy,whisper,barge,takeover"`
		Leg  string `json:"leg,omitempty" maxLength:"128" doc:"Somebody else to be heard"`
	}
}

type monitorID struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the request that began it"`
}

func (a *API) declareMonitors() {
	add(a, anyone, huma.Operation{
		OperationID: "monitor", Method: http.MethodPost, Path: "/v1/monitors", DefaultStatus: http.StatusAccepted,
		Summary: "Listen, whisper, barge in or take a call over",
		Description: "Your phone rings; when you answer, you hear the call. Asking again for the same call changes the mode, `end` ends it. " +
			"Needs the right of the mode: `listen` for spy, `whisper`, `barge`, `takeover`. Every use is recorded.",
		Errors: []int{404, 409},
	}, a.monitor)
	add(a, anyone, huma.Operation{
		OperationID: "monitor-change", Method: http.MethodPatch, Path: "/v1/monitors/{id}", DefaultStatus: http.StatusAccepted,
		Summary: "Change the mode of what you listen to", Description: "Needs the right of the mode.", Errors: []int{404, 409},
	}, func(ctx context.Context, v *visit, in *changeIn) (*accepted, error) {
		c, m, err := v.monitor(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		next := monitorIn{}
		next.Body.Call, next.Body.Leg, next.Body.Mode, next.Body.Reason, next.Body.Extension = c.ID, in.Body.Leg, in.Body.Mode, m.Reason, m.Address
		return a.monitor(ctx, v, &next)
	})
	add(a, anyone, huma.Operation{
		OperationID: "monitor-end", Method: http.MethodDelete, Path: "/v1/monitors/{id}", DefaultStatus: http.StatusAccepted,
		Summary: "Stop listening", Errors: []int{404, 409},
	}, func(ctx context.Context, v *visit, in *monitorID) (*accepted, error) {
		c, _, err := v.monitor(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		next := monitorIn{}
		next.Body.Call, next.Body.Mode = c.ID, call.StopSpy
		return a.monitor(ctx, v, &next)
	})
}

// modes are the ways to listen in, and the right of each.
func modes() []struct {
	mode  string
	right access.Right
} {
	return []struct {
		mode  string
		right access.Right
	}{{call.Spy, access.Listen}, {call.Whisper, access.Whisper}, {call.Barge, access.Barge}, {call.Takeover, access.Takeover}}
}

func (a *API) monitor(ctx context.Context, v *visit, in *monitorIn) (*accepted, error) {
	ask := in.Body
	e := call.Event{
		Kind: call.MonitorAsked, Ref: a.dep.NewID(), Call: ask.Call, Leg: ask.Leg, Mode: ask.Mode, Agent: v.user.Name,
		Address: ask.Extension, Reason: call.Clean(ask.Reason, 200), DurationMS: int64(ask.Limit) * 1000,
	}
	if ask.Mode == call.StopSpy { // everybody may stop what he has begun; the machine knows nobody else's
		if err := v.record(ctx, ask.Call, "", call.StopSpy); err != nil {
			return nil, err
		}
		return v.post(ctx, e)
	}
	c, err := a.anyCall(ctx, ask.Call)
	if err != nil {
		return nil, err
	}
	target := access.OfTalk(c)
	if ask.Leg != "" {
		target = access.OfLeg(c, ask.Leg)
	}
	var may []string
	for _, m := range modes() {
		if m.mode == ask.Mode {
			if err := v.need(ctx, m.right, target, c.ID); err != nil {
				return nil, err
			}
		}
		if m.mode != call.Takeover && v.user.Can(m.right, target).OK {
			may = append(may, m.mode)
		}
	}
	if c, err = v.living(ctx, ask.Call, ask.Leg); err != nil {
		return nil, err
	}
	if e.Address, err = v.phone(ctx, ask.Extension); err != nil {
		return nil, err
	}
	e.Data = map[string]string{"modes": strings.Join(may, ",")}
	return v.monitorRecorded(ctx, e, heard(ask.Mode, c, ask.Leg))
}

// monitorRecorded lets the phone ring while it is being written down who
// listens. The second event, which says whether it is, follows in any case.
func (v *visit) monitorRecorded(ctx context.Context, e call.Event, detail string) (*accepted, error) {
	ctx = context.WithoutCancel(ctx)
	e.State = call.MonitorPending
	done, err := v.post(ctx, e)
	if err != nil {
		return nil, err
	}
	next := call.Event{Kind: call.MonitorAsked, Ref: e.Ref, Call: e.Call, Agent: e.Agent, State: call.MonitorRecorded}
	if err = v.record(ctx, e.Call, e.Reason, detail); err != nil {
		next.State = call.MonitorUnrecorded
		_, _ = v.post(ctx, next) // when Markaz stops, nobody begins to listen anyway
		return nil, err
	}
	if _, err = v.post(ctx, next); err != nil {
		return nil, err
	}
	return done, nil
}

// heard says for the record who is heard.
func heard(mode string, c *call.Call, leg string) string {
	var who []string
	for i := range c.Legs {
		l := &c.Legs[i]
		if l.Role == call.RoleAgent && l.Ended == nil && (leg == "" || l.ID == leg) {
			who = append(who, strings.TrimSpace(l.Address+" "+l.Agent))
		}
	}
	return strings.TrimSpace(mode + " " + strings.Join(who, ", "))
}

// phone is the phone that rings for what the user asks for: his own, or
// another one that he may have ring.
func (v *visit) phone(ctx context.Context, asked string) (string, error) {
	if asked == "" {
		asked = v.user.Extension()
	}
	if asked == "" {
		return "", fail(http.StatusUnprocessableEntity, "E4222", "You have no extension; name the phone that is to ring.")
	}
	if slices.Contains(v.user.Extensions, asked) {
		return asked, nil
	}
	return asked, v.need(ctx, access.Dial, access.OfExtension(asked), asked)
}

// monitor finds what the user himself listens to.
func (v *visit) monitor(ctx context.Context, id string) (*call.Call, call.Monitor, error) {
	var found *call.Call
	var m call.Monitor
	err := v.api.dep.View(ctx, func(b call.Book) {
		for _, c := range b {
			i := slices.IndexFunc(c.Monitors, func(m call.Monitor) bool { return m.ID == id && m.Agent == v.user.Name && m.Ended == nil })
			if i >= 0 && !c.Over() {
				found, m = clone(c), c.Monitors[i]
			}
		}
	})
	if err == nil && found == nil {
		return nil, m, fail(http.StatusNotFound, "E4044", "You do not listen to anything of that id.")
	}
	return found, m, err
}
