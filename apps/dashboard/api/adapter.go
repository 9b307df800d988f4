package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"markaz/access"
	"markaz/access/audit"
	"markaz/call"
	"markaz/lang"
)

// adapter joins huma to the mux. Here everybody is let in or refused, before
// anything of the request is looked at.
type adapter struct {
	api *API
	mux *http.ServeMux
}

// rightKey is where an operation keeps the right that it needs.
const rightKey = "right"

// anyone is the right of operations for everybody who is let in.
const anyone access.Right = ""

// Handle implements huma.Adapter.
func (ad *adapter) Handle(op *huma.Operation, handle func(huma.Context)) {
	right, declared := op.Metadata[rightKey].(access.Right)
	if !declared {
		panic("operation " + op.OperationID + " names no right") // a fault of the program, found by any test
	}
	a := ad.api
	ad.mux.Handle(op.Method+" "+op.Path, a.dep.Gate.Wrap(func(w http.ResponseWriter, r *http.Request, u *access.User) {
		v := &visit{api: a, user: u, op: op.OperationID, w: w, r: r, words: a.words(u, r)}
		switch {
		case !a.inPace(u.Name):
			w.Header().Set("Retry-After", "1")
			writeFault(w, fail(http.StatusTooManyRequests, "E4290", "Too many requests at once; wait a second."))
		case right != anyone && !u.Has(right):
			writeFault(w, v.refused(r.Context(), r.URL.Path, u.Can(right, access.Target{})))
		default:
			ctx := context.WithValue(r.Context(), visitKey{}, v) // huma hands handlers nothing but a context
			v.r = r.WithContext(ctx)
			handle(&exchange{humaContext: humago.NewContext(op, v.r, w)})
		}
	}))
}

// ServeHTTP implements huma.Adapter.
func (ad *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { ad.mux.ServeHTTP(w, r) }

// humaContext has another name than its method Context.
type humaContext = huma.Context

// exchange is huma's context with a status that problems may change.
type exchange struct {
	humaContext
	status int // instead of what huma says; 0: as it says
}

// SetStatus implements huma.Context.
func (e *exchange) SetStatus(code int) {
	if e.status != 0 {
		code = e.status
	}
	e.humaContext.SetStatus(code)
}

// visit is one request of somebody who has been let in.
type visit struct {
	api   *API
	user  *access.User
	op    string
	w     http.ResponseWriter
	r     *http.Request
	words lang.Words
}

type visitKey struct{}

// words is the language of a user, or else of his browser.
func (a *API) words(u *access.User, r *http.Request) lang.Words {
	tag := u.Lang
	if tag == "" {
		tag, _, _ = strings.Cut(r.Header.Get("Accept-Language"), ",")
	}
	return a.dep.Words.In(tag)
}

// add declares an operation: who may use it, and what it does.
func add[I, O any](a *API, right access.Right, op huma.Operation, do func(context.Context, *visit, *I) (*O, error)) {
	op.Metadata = map[string]any{rightKey: right}
	op.Tags = []string{strings.Split(strings.TrimPrefix(op.Path, "/v1/"), "/")[0]}
	if right == anyone {
		op.Description = strings.TrimSpace(op.Description + "\n\nFor everybody who is logged in.")
	} else {
		op.Description = strings.TrimSpace(op.Description + "\n\nNeeds the right `" + string(right) + "`.")
	}
	op.Extensions = map[string]any{"x-right": string(right)}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = 16 << 10
	}
	errs := append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	slices.Sort(errs)
	op.Errors = slices.Compact(errs)
	op.RejectUnknownQueryParameters = true
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		v := ctx.Value(visitKey{}).(*visit)
		out, err := do(ctx, v, in)
		var known huma.StatusError
		if err != nil && !errors.As(err, &known) {
			a.dep.Logger.Error("request failed", "operation", op.OperationID, "user", v.user.Name, "err", err)
			err = fail(http.StatusServiceUnavailable, "E5031", "This cannot be done now.")
		}
		return out, err
	})
}

// need asks whether the user may use a right on a target; subject is what the
// record of a refusal names. Its error is the answer.
func (v *visit) need(ctx context.Context, r access.Right, t access.Target, subject string) error {
	if verdict := v.user.Can(r, t); !verdict.OK {
		return v.refused(ctx, subject, verdict)
	}
	return nil
}

// refused records a refusal and makes its answer.
func (v *visit) refused(ctx context.Context, subject string, verdict access.Verdict) *fault {
	e := v.entry(subject, "")
	e.Result, e.Detail = audit.Refused, verdict.In(v.api.dep.Words.In(lang.Default))
	_ = v.api.dep.Gate.Audit().Record(context.WithoutCancel(ctx), e) // refused all the same; the failure is logged there
	return fail(http.StatusForbidden, "E4031", verdict.In(v.words))
}

// record writes down what is about to be done. When it cannot be written, it
// must not be done.
func (v *visit) record(ctx context.Context, subject, reason, detail string) error {
	e := v.entry(subject, reason)
	e.Detail = detail
	if err := v.api.dep.Gate.Audit().Record(ctx, e); err != nil {
		return fail(http.StatusServiceUnavailable, "E5034", "This cannot be recorded now, so it is not done.")
	}
	return nil
}

func (v *visit) entry(subject, reason string) audit.Entry {
	return audit.Entry{
		Who: v.user.Name, What: v.op, Target: subject, Reason: call.Clean(reason, 200),
		From: v.api.dep.Gate.Address(v.r), Result: audit.OK,
	}
}

// accepted is the answer to what was asked for.
type accepted struct {
	Status int
	Body   acceptedBody
}

type acceptedBody struct {
	Request string `json:"request" doc:"Id of the request; events that come of it carry it as ref" example:"01JD5Y8GM4C9N1Z7Q5T0V3W6XA"`
}

// post gives the loop what was asked for.
func (v *visit) post(ctx context.Context, e call.Event) (*accepted, error) {
	if !v.api.dep.Post(ctx, e) {
		return nil, fail(http.StatusServiceUnavailable, "E5032", "Markaz is stopping.")
	}
	return &accepted{Status: http.StatusAccepted, Body: acceptedBody{Request: e.Ref}}, nil
}

// living finds a living call, wherever it is told of.
func (a *API) living(ctx context.Context, id string) (*call.Call, error) {
	var found *call.Call
	err := a.dep.View(ctx, func(b call.Book) {
		if c := b[id]; c != nil {
			found = clone(c)
		}
	})
	return found, err
}

// clone copies what other goroutines change: the slices of a call are added to
// and written to in place.
func clone(c *call.Call) *call.Call {
	d := *c
	d.Legs, d.Menus, d.Queues = slices.Clone(c.Legs), slices.Clone(c.Menus), slices.Clone(c.Queues)
	d.Recordings, d.Monitors, d.Caps = slices.Clone(c.Recordings), slices.Clone(c.Monitors), slices.Clone(c.Caps)
	for i := range d.Menus {
		d.Menus[i].Input = slices.Clone(d.Menus[i].Input)
	}
	for i := range d.Queues {
		d.Queues[i].Heard = slices.Clone(d.Queues[i].Heard)
	}
	for i := range d.Monitors {
		d.Monitors[i].Modes = slices.Clone(d.Monitors[i].Modes)
	}
	return &d
}

// call finds a call that the user sees, living or finished.
func (v *visit) call(ctx context.Context, id string) (*call.Call, error) {
	c, err := v.api.anyCall(ctx, id)
	if err != nil {
		return nil, err
	}
	return c, v.need(ctx, access.See, access.OfCall(c), id)
}

func (a *API) anyCall(ctx context.Context, id string) (*call.Call, error) {
	c, err := a.living(ctx, id)
	if c != nil || err != nil {
		return c, err
	}
	c, err = a.dep.History.Call(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, fail(http.StatusNotFound, "E4041", "There is no such call.")
	}
	return c, err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
