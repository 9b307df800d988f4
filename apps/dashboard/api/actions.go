package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
	"markaz/call"
)

type actionIn struct {
	ID   string `path:"id" maxLength:"64" doc:"Id of the call"`
	Body struct {
		Action string `json:"action" enum:"hangup,transfer,record,pause,resume,hold,unhold" doc:"record begins a recording, pause and resume belong to it"`
		Leg    string `json:"leg,omitempty" maxLength:"128" doc:"Whose part; without it the call as a whole"`
		To     string `json:"to,omitempty" maxLength:"64" doc:"Where to transfer: an extension, a queue as queue:NAME, or a number"`
		Reason string `json:"reason,omitempty" maxLength:"200"`
	}
}

func (a *API) declareActions() {
	add(a, anyone, huma.Operation{
		OperationID: "call-action", Method: http.MethodPost, Path: "/v1/calls/{id}/actions", DefaultStatus: http.StatusAccepted,
		Summary:     "Do something with a living call",
		Description: "Each action needs the right of its name; record, pause and resume need `record`, hold and unhold need `hold`.",
		Errors:      []int{404, 409},
	}, a.action)
}

// rightOf is the right that an action needs.
func rightOf(action string) access.Right {
	switch action {
	case "transfer":
		return access.Transfer
	case "record", "pause", "resume":
		return access.Record
	case "hold", "unhold":
		return access.Hold
	}
	return access.Hangup
}

func (a *API) action(ctx context.Context, v *visit, in *actionIn) (*accepted, error) {
	ask := in.Body
	c, err := v.living(ctx, in.ID, ask.Leg)
	if err != nil {
		return nil, err
	}
	if err := v.need(ctx, rightOf(ask.Action), access.OfCall(c), c.ID); err != nil {
		return nil, err
	}
	if (ask.Action == "transfer") != (ask.To != "") || strings.ContainsFunc(ask.To, unprintable) {
		return nil, fail(http.StatusUnprocessableEntity, "E4221", "A transfer, and nothing else, needs to: an extension, queue:NAME or a number.")
	}
	if err := v.record(ctx, c.ID, ask.Reason, strings.TrimSpace(ask.Action+" "+ask.To)); err != nil {
		return nil, err
	}
	return v.post(ctx, call.Event{
		Kind: call.CallAsked, Ref: a.dep.NewID(), Call: c.ID, Leg: ask.Leg, Agent: v.user.Name, Mode: ask.Action, To: ask.To,
		Reason: call.Clean(ask.Reason, 200),
	})
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f }

// living finds a living call that the user sees, and makes sure of its leg.
func (v *visit) living(ctx context.Context, id, leg string) (*call.Call, error) {
	c, err := v.call(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case c.Over():
		return nil, fail(http.StatusConflict, "E4091", "The call has ended.")
	case leg != "" && (c.Leg(leg) == nil || c.Leg(leg).Ended != nil):
		return nil, fail(http.StatusNotFound, "E4043", "The call has no such living leg.")
	}
	return c, nil
}
