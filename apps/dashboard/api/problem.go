package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// fault is an error as a client gets it: a problem of RFC 9457 with a code
// that stays the same whatever the words.
type fault struct {
	Title  string              `json:"title"`
	Status int                 `json:"status"`
	Code   string              `json:"code"`
	Detail string              `json:"detail"`
	Errors []*huma.ErrorDetail `json:"errors,omitempty"`
}

func fail(status int, code, detail string) *fault {
	return &fault{Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// Error implements error.
func (f *fault) Error() string { return f.Code + ": " + f.Detail }

// GetStatus implements huma.StatusError.
func (f *fault) GetStatus() int { return f.Status }

// ContentType implements huma.ContentTypeFilter.
func (f *fault) ContentType(string) string { return "application/problem+json" }

// codes of problems that huma finds.
func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "E4000"
	case http.StatusNotAcceptable:
		return "E4060"
	case http.StatusRequestTimeout:
		return "E4080"
	case http.StatusRequestEntityTooLarge:
		return "E4130"
	case http.StatusUnsupportedMediaType:
		return "E4150"
	case http.StatusUnprocessableEntity:
		return "E4220"
	}
	return "E5000"
}

// problems gives huma's own errors the form of the others. A field that does
// not exist is a wrong request, not a wrong value.
func (a *API) problems(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	status := m.Status
	for _, d := range m.Errors {
		d.Value = nil // it may be large, and it is the client's own
		if status == http.StatusUnprocessableEntity && d.Message == "unexpected property" {
			status = http.StatusBadRequest
		}
	}
	if status != m.Status {
		if e, ok := ctx.(*exchange); ok {
			e.status = status
		}
	}
	f := fail(status, codeOf(status), strings.TrimSpace(m.Detail))
	if status < http.StatusInternalServerError {
		f.Errors = m.Errors
	}
	return f, nil
}

func writeFault(w http.ResponseWriter, f *fault) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(f) // the client went away
}
