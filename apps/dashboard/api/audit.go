package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
	"markaz/access/audit"
)

type auditIn struct {
	Who    string    `query:"who" maxLength:"100"`
	What   string    `query:"what" maxLength:"100" doc:"Such as login, monitor, recording, or another operation"`
	Target string    `query:"target" maxLength:"300" doc:"Such as the id of a call"`
	From   time.Time `query:"from"`
	To     time.Time `query:"to"`
	Cursor string    `query:"cursor" maxLength:"20" pattern:"^[0-9]*$" doc:"The next of the page before"`
	Limit  int       `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

type auditOut struct {
	Body struct {
		Records []audit.Entry `json:"records"`
		Next    string        `json:"next,omitempty" doc:"Cursor of what follows; absent at the end"`
	}
}

type verifyOut struct {
	Body struct {
		OK     bool   `json:"ok"`
		Seq    int64  `json:"seq" doc:"Number of the last record that can be trusted"`
		Hash   string `json:"hash"`
		Detail string `json:"detail,omitempty" doc:"What was found"`
	}
}

func (a *API) declareAudit() {
	add(a, access.Audit, huma.Operation{
		OperationID: "audit", Method: http.MethodGet, Path: "/v1/audit", Summary: "Who did what, the newest first",
	}, func(ctx context.Context, _ *visit, in *auditIn) (*auditOut, error) {
		before, _ := strconv.ParseInt(in.Cursor, 10, 64) // "" is the beginning
		records, next, err := a.dep.Gate.Audit().List(ctx, audit.Query{
			Who: in.Who, What: in.What, Target: in.Target, Since: in.From, Until: in.To, Before: before, Limit: in.Limit,
		})
		o := &auditOut{}
		o.Body.Records = list(records)
		if next > 0 {
			o.Body.Next = strconv.FormatInt(next, 10)
		}
		return o, err
	})
	type in struct{}
	add(a, access.Audit, huma.Operation{
		OperationID: "audit-verify", Method: http.MethodGet, Path: "/v1/audit/verify", Summary: "Whether the audit log is as it was written",
	}, func(ctx context.Context, _ *visit, _ *in) (*verifyOut, error) {
		head, err := a.dep.Gate.Audit().Verify(ctx)
		o := &verifyOut{}
		o.Body.OK, o.Body.Seq, o.Body.Hash = err == nil, head.Seq, head.Hash
		if found, ok := err.(*audit.Fault); ok {
			o.Body.Detail, err = found.Error(), nil
		}
		return o, err
	})
}
