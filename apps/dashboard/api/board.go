package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
)

func (a *API) declareBoard() {
	type in struct{}
	type out struct {
		Body json.RawMessage
	}
	anything := &huma.Response{Description: "Everything that you may see, as rows by key", Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}},
	}}
	add(a, access.Board, huma.Operation{
		OperationID: "board", Method: http.MethodGet, Path: "/v1/board", Summary: "Extensions, queues, lines and calls as they stand",
		Responses: map[string]*huma.Response{"200": anything},
	}, func(ctx context.Context, v *visit, _ *in) (*out, error) {
		if a.dep.Board == nil {
			return nil, errNoBoard()
		}
		text, err := a.dep.Board.Snapshot(ctx, v.user)
		return &out{text}, err
	})
	type stream struct {
		Body func(huma.Context)
	}
	type streamIn struct {
		After string `query:"after" maxLength:"100" doc:"Id of the last message that you have; the header Last-Event-ID does the same"`
		Last  string `header:"Last-Event-ID" maxLength:"100"`
	}
	add(a, access.Board, huma.Operation{
		OperationID: "events", Method: http.MethodGet, Path: "/v1/events", Summary: "The same, and every change of it, as server-sent events",
		Description: "Each message is JSON with an id: `{\"t\":\"snapshot\"|\"change\",\"now\":MILLISECONDS,\"rows\":[{\"key\":…,\"row\":…}]}`; " +
			"a row without `row` is gone. Who names the last id that he has gets what he missed, or a snapshot. " +
			"What comes of requests is in the rows of `notice`, for the one who asked, with the id of the request as `ref`.",
		Responses: map[string]*huma.Response{"200": {Description: "A stream that does not end", Content: map[string]*huma.MediaType{"text/event-stream": {}}}},
	}, func(_ context.Context, v *visit, _ *streamIn) (*stream, error) {
		if a.dep.Board == nil {
			return nil, errNoBoard()
		}
		return &stream{func(huma.Context) {
			a.dep.Board.Stream(v.w, v.r, func() (*access.User, bool) {
				u, err := a.dep.Gate.Authenticate(v.r)
				return u, err == nil && u.Has(access.Board)
			})
		}}, nil
	})
}

func errNoBoard() error {
	return fail(http.StatusServiceUnavailable, "E5036", "The board is switched off.")
}
