package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
	"markaz/call"
	"markaz/queue"
)

type floorIn struct{}

type agentIn struct {
	Agent string `path:"agent" maxLength:"100" doc:"Id or extension of the agent"`
	Body  struct {
		State  string `json:"state" enum:"available,ready,paused,offline" doc:"available logs in and ends a pause; ready ends a wrap-up too"`
		Reason string `json:"reason,omitempty" maxLength:"80" doc:"Of a pause"`
	}
}

type agentOut struct {
	Status int
	Body   struct {
		Agent string `json:"agent"`
		Asked string `json:"asked"`
	}
}

func (a *API) declareFloor() {
	type out struct{ Body queue.Snapshot }
	add(a, access.Board, huma.Operation{
		OperationID: "floor", Method: http.MethodGet, Path: "/v1/floor", Summary: "Queues and agents as they stand",
	}, func(ctx context.Context, v *visit, _ *floorIn) (*out, error) {
		snap, err := a.floor(ctx, v)
		return &out{snap}, err
	})
	type queues struct {
		Body struct {
			Queues []queue.QueueState `json:"queues"`
		}
	}
	add(a, access.Board, huma.Operation{
		OperationID: "queues", Method: http.MethodGet, Path: "/v1/queues", Summary: "Queues as they stand",
	}, func(ctx context.Context, v *visit, _ *floorIn) (*queues, error) {
		snap, err := a.floor(ctx, v)
		o := &queues{}
		o.Body.Queues = snap.Queues
		return o, err
	})
	type agents struct {
		Body struct {
			Agents []queue.AgentState `json:"agents"`
		}
	}
	add(a, access.Board, huma.Operation{
		OperationID: "agents", Method: http.MethodGet, Path: "/v1/agents", Summary: "Agents as they stand",
	}, func(ctx context.Context, v *visit, _ *floorIn) (*agents, error) {
		snap, err := a.floor(ctx, v)
		o := &agents{}
		o.Body.Agents = snap.Agents
		return o, err
	})
	add(a, access.Pause, huma.Operation{
		OperationID: "agent-state", Method: http.MethodPut, Path: "/v1/agents/{agent}/state", DefaultStatus: http.StatusAccepted,
		Summary: "Log an agent in, pause him, log him out", Errors: []int{404}, MaxBodyBytes: 4096,
	}, a.agentState)
}

// floor is what a user may see of queues and agents. The call of an agent
// belongs to those who see the call.
func (a *API) floor(ctx context.Context, v *visit) (queue.Snapshot, error) {
	snap, err := a.dep.Floor(ctx)
	if err != nil {
		return snap, err
	}
	sees := map[string]bool{}
	err = a.dep.View(ctx, func(b call.Book) {
		for _, s := range snap.Agents {
			if c := b[s.Call]; c != nil {
				sees[s.Call] = v.user.Sees(c).OK
			}
		}
	})
	may := v.user.Covers(access.Board)
	snap.Queues = list(slices.DeleteFunc(snap.Queues, func(q queue.QueueState) bool { return !may.True(access.OfQueue(q.Queue)) }))
	snap.Agents = list(slices.DeleteFunc(snap.Agents, func(s queue.AgentState) bool {
		return !may.True(access.OfAgent(access.Person{ID: s.ID, Extension: s.Extension, Queues: s.Queues}))
	}))
	for i := range snap.Agents {
		if s := &snap.Agents[i]; !sees[s.Call] {
			s.Call = ""
		}
	}
	return snap, err
}

func (a *API) agentState(ctx context.Context, v *visit, in *agentIn) (*agentOut, error) {
	i := slices.IndexFunc(a.dep.People, func(p access.Person) bool { return p.ID == in.Agent || p.Extension == in.Agent })
	if i < 0 {
		return nil, fail(http.StatusNotFound, "E4040", "There is no such agent in the configuration.")
	}
	p := a.dep.People[i]
	if err := v.need(ctx, access.Pause, access.OfAgent(p), p.ID); err != nil {
		return nil, err
	}
	if err := v.record(ctx, p.ID, in.Body.Reason, in.Body.State); err != nil {
		return nil, err
	}
	_, err := v.post(ctx, call.Event{Kind: call.AgentAsked, Agent: p.ID, State: in.Body.State, Reason: call.Clean(in.Body.Reason, 80)})
	o := &agentOut{Status: http.StatusAccepted}
	o.Body.Agent, o.Body.Asked = in.Agent, in.Body.State
	return o, err
}
