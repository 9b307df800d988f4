package dashboard

import (
	"net/http"
	"net/url"
	"strconv"

	"markaz/access"
	"markaz/access/audit"
)

// auditPage is the record of who did what.
type auditPage struct {
	Rows  []audit.Entry
	Next  string
	Asked url.Values
}

// Op says in words what was done; "" where only its code is known.
func (p *page) Op(code string) string {
	if key := "web.audit.op." + code; p.web.dep.Words.Has(key) {
		return p.T(key)
	}
	return ""
}

func (w *Web) audit(rw http.ResponseWriter, r *http.Request, u *access.User) {
	p := w.page(r, u, "web.nav.audit")
	if !u.Has(access.Audit) || w.dep.Audit == nil {
		w.problem(rw, r, u, http.StatusForbidden, u.Can(access.Audit, access.Target{}).In(p.w))
		return
	}
	q := r.URL.Query()
	before, err := strconv.ParseInt(q.Get("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	rows, next, err := w.dep.Audit(r.Context(), audit.Query{
		Who: cutText(q.Get("who"), 100), What: cutText(q.Get("what"), 60), Target: cutText(q.Get("target"), 100), Before: before, Limit: 100,
	})
	if err != nil {
		w.dep.Logger.Error("audit log not read", "err", err)
		w.problem(rw, r, u, http.StatusServiceUnavailable, p.T("web.problem.audit"))
		return
	}
	data := auditPage{Rows: rows, Asked: q}
	if next != 0 {
		q.Set("before", strconv.FormatInt(next, 10))
		data.Next = "/audit?" + q.Encode()
	}
	p.Data = data
	w.show(rw, r, "audit", p)
}
