package crm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"markaz/call"
)

const (
	b24Page  = 50   // rows in one answer of a list method
	b24Pages = 2000 // that are read at most
	b24Dates = "2006-01-02T15:04:05-07:00"
)

// pages calls a list method page after page, waiting as long as Bitrix24's
// pace wants; take returns how many rows a page had.
func (c *bitrix24conn) pages(ctx context.Context, method string, params map[string]any, out func() any, take func() (int, error)) error {
	for page := range b24Pages {
		p := map[string]any{"start": page * b24Page}
		for k, v := range params {
			p[k] = v
		}
		err := c.api.call(ctx, b24Cmd{"list", method, p}, out())
		for tries := 0; tries < 10 && pausing(ctx, err); tries++ {
			err = c.api.call(ctx, b24Cmd{"list", method, p}, out())
		}
		if err != nil {
			return err
		}
		n, err := take()
		if err != nil || n < b24Page {
			return err
		}
	}
	return fmt.Errorf("%s has more than %d rows: take a shorter period", method, b24Page*b24Pages)
}

// pausing waits if an error asks for no more than a short wait.
func pausing(ctx context.Context, err error) bool {
	var p *pause
	if !errors.As(err, &p) || p.after > fillWait {
		return false
	}
	select {
	case <-time.After(p.after):
		return true
	case <-ctx.Done():
		return false
	}
}

// Rows implements [Auditor], by the statistics.
func (c *bitrix24conn) Rows(ctx context.Context, from, to time.Time) ([]Row, error) {
	type row struct {
		ID       string `json:"CALL_ID"`
		External string `json:"EXTERNAL_CALL_ID"`
		Start    string `json:"CALL_START_DATE"`
		Seconds  b24Int `json:"CALL_DURATION"`
		Code     string `json:"CALL_FAILED_CODE"`
		File     b24Int `json:"RECORD_FILE_ID"`
	}
	var page []row
	var out []Row
	filter := map[string]any{"FILTER": map[string]any{">=CALL_START_DATE": from.Format(b24Dates), "<CALL_START_DATE": to.Format(b24Dates)}}
	err := c.pages(ctx, "voximplant.statistic.get", filter, func() any { page = nil; return &page }, func() (int, error) {
		for _, r := range page {
			start, err := time.Parse(time.RFC3339, r.Start)
			if err != nil {
				return 0, fmt.Errorf("CALL_START_DATE %q of %s: %w", r.Start, r.ID, err)
			}
			out = append(out, Row{Call: r.External, ID: r.ID, Start: start, Seconds: int(r.Seconds), Result: r.Code, Recording: r.File != 0})
		}
		return len(page), nil
	})
	return out, err
}

// Wanted implements [Auditor].
func (c *bitrix24conn) Wanted(ctx context.Context, r call.Call) (Row, bool, error) {
	if r.Direction == call.Internal || b24Number(r) == "" || r.MergedInto != "" {
		return Row{}, false, nil
	}
	n, err := readNote[b24Call](ctx, c.dep.Notes, c.key(r.ID))
	return Row{
		Call: r.ID, ID: n.ID, Start: r.Started, Seconds: int(math.Ceil(float64(r.TalkMS) / 1000)), Result: b24Status(r),
		Recording: c.cfg.Recording != "off" && longest(r.Recordings) != nil,
	}, true, err
}

// Forget implements [Auditor]. A row that is there is found again by its id, as
// after a finish whose answer was lost.
func (c *bitrix24conn) Forget(ctx context.Context, callID string) error {
	n, err := readNote[b24Call](ctx, c.dep.Notes, c.key(callID))
	if err != nil {
		return err
	}
	return writeNote(ctx, c.dep.Notes, c.key(callID), b24Call{ID: n.ID, Tried: true})
}

func (c *bitrix24conn) key(callID string) string { return "bitrix24:" + c.dep.Sink + ":" + callID }

// Users implements [UserLister].
func (c *bitrix24conn) Users(ctx context.Context, _ []string) ([]User, error) {
	type user struct {
		ID        b24Int `json:"ID"`
		Name      string `json:"NAME"`
		Last      string `json:"LAST_NAME"`
		Extension string `json:"UF_PHONE_INNER"`
	}
	var page []user
	var theirs []User
	params := map[string]any{"FILTER": map[string]any{"ACTIVE": true}}
	err := c.pages(ctx, "user.get", params, func() any { page = nil; return &page }, func() (int, error) {
		for _, u := range page {
			name := u.Name
			if u.Last != "" {
				name += " " + u.Last
			}
			theirs = append(theirs, User{Extension: u.Extension, ID: strconv.Itoa(int(u.ID)), Name: name})
		}
		return len(page), nil
	})
	return joinUsers(c.cfg.Users, theirs), err
}
