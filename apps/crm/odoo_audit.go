package crm

import (
	"context"
	"strconv"
	"strings"
	"time"

	"markaz/call"
)

// odooPage is how many notes are read at once.
const odooPage = 500

// Rows implements [Auditor]. A note is known by its message id; what it says is
// text, which people may change.
func (c *odooConn) Rows(ctx context.Context, from, to time.Time) ([]Row, error) {
	var out []Row
	domain := []any{
		[]any{"message_id", "=like", "%@markaz>"}, []any{"date", ">=", from.UTC().Format(odooTime)}, []any{"date", "<", to.UTC().Format(odooTime)},
	}
	for {
		var page []struct {
			ID        int      `json:"id"`
			MessageID odooText `json:"message_id"`
			Date      odooText `json:"date"`
			Files     []int    `json:"attachment_ids"`
		}
		options := map[string]any{"fields": []string{"message_id", "date", "attachment_ids"}, "order": "id", "limit": odooPage, "offset": len(out)}
		if err := c.api.do(ctx, "mail.message", "search_read", []any{domain}, options, &page); err != nil {
			return nil, err
		}
		for _, m := range page {
			start, err := time.Parse(odooTime, string(m.Date))
			if err != nil {
				return nil, err
			}
			id := strings.TrimSuffix(strings.TrimPrefix(string(m.MessageID), "<"), "@markaz>")
			out = append(out, Row{Call: id, ID: strconv.Itoa(m.ID), Start: start, Seconds: -1, Recording: len(m.Files) > 0})
		}
		if len(page) < odooPage {
			return out, nil
		}
	}
}

// Wanted implements [Auditor].
func (c *odooConn) Wanted(ctx context.Context, r call.Call) (Row, bool, error) {
	if r.MergedInto != "" || r.Direction == call.Internal {
		return Row{}, false, nil
	}
	if c.cfg.Unknown == "skip" {
		contact, err := c.contact(ctx, r)
		if err != nil || contact == 0 {
			return Row{}, false, err
		}
	}
	files := c.cfg.Recording == "" || c.cfg.Recording == "upload"
	return Row{
		Call: r.ID, Start: r.Started, Seconds: int(r.TalkMS / 1000), Result: string(r.Disposition),
		Recording: files && longest(r.Recordings) != nil,
	}, true, nil
}

// Forget implements [Auditor].
func (c *odooConn) Forget(ctx context.Context, callID string) error {
	return writeNote(ctx, c.dep.Notes, c.key(callID), odooNote{})
}
