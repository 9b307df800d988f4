package history

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"markaz/call"
)

// ErrNotFound says that there is no such call.
var ErrNotFound = errors.New("no such call")

// ErrCursor says that a cursor is none of ours.
var ErrCursor = errors.New("not a cursor of this list")

// Query says which calls are wanted; zero fields ask for nothing in
// particular. Texts come from people and may hold anything.
type Query struct {
	From, To time.Time // of the start, To not included
	// Number is a number or its end, in any form, or a piece of one. With seven
	// digits and more a piece counts only where no number ends so.
	Number      string
	Name        string // a piece of the caller's name, as told or as the CRM knows it
	Extension   string // of anybody who took part or whose phone rang
	Agent       string
	Queue       string
	Source      string
	Line        string // trunk or number that was called
	Identity    string // the CRM's id of the other party
	Direction   call.Direction
	Disposition []call.Disposition
	Recorded    *bool // has a recording
	Live        *bool // goes on
	Visible     *Visible

	Cursor string // Page.Next of the page before
	Limit  int    // 50 if not said, 500 at most

	piece bool // Number may be a piece of one, however long
}

// Page is a part of a list, the newest call first.
type Page struct {
	Calls []call.Call
	Next  string // cursor of what follows; "" at the end
}

// Calls lists calls. Those merged into another are told by that one alone.
func (s *Store) Calls(ctx context.Context, q Query) (Page, error) {
	page, err := s.list(ctx, q)
	digits := FoldNumber(q.Number)
	significant := strings.TrimLeft(digits, "0")
	if err != nil || len(page.Calls) > 0 || significant == "" || len(significant) >= sameTail || len(digits) < wholeNumber && digits == significant {
		return page, err
	}
	q.Number, q.piece = significant, true // somebody has typed the beginning, perhaps in the national form
	return s.list(ctx, q)
}

func (s *Store) list(ctx context.Context, q Query) (Page, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 500)
	c, err := q.condition()
	if err != nil {
		return Page{}, err
	}
	rows, err := s.read.QueryContext(ctx, `SELECT c.started, c.id, c.record FROM calls c WHERE `+c.where()+
		` ORDER BY c.started DESC, c.id DESC LIMIT ?`, append(c.args, limit+1)...)
	if err != nil {
		return Page{}, fmt.Errorf("list calls: %w", err)
	}
	defer rows.Close()
	var page Page
	var started int64
	var id string
	for rows.Next() {
		if len(page.Calls) == limit {
			page.Next = cursor(started, id)
			break
		}
		var raw []byte
		if err := rows.Scan(&started, &id, &raw); err != nil {
			return Page{}, fmt.Errorf("list calls: %w", err)
		}
		var r call.Call
		if err := json.Unmarshal(raw, &r); err != nil {
			return Page{}, fmt.Errorf("decode call %s: %w", id, err)
		}
		page.Calls = append(page.Calls, r)
	}
	return page, rows.Err()
}

func cursor(started int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(started, 10) + ":" + id))
}

func readCursor(s string) (started int64, id string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) > 200 {
		return 0, "", ErrCursor
	}
	left, id, ok := strings.Cut(string(raw), ":")
	if started, err = strconv.ParseInt(left, 10, 64); err != nil || !ok {
		return 0, "", ErrCursor
	}
	return started, id, nil
}

// condition is a piece of SQL that is put together from fixed parts; values
// are bound.
type condition struct {
	parts []string
	args  []any
}

func (c *condition) and(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

func (c *condition) where() string { return strings.Join(c.parts, " AND ") }

func (q Query) condition() (*condition, error) {
	// A call that is only known from its middle is nothing to show.
	c := &condition{parts: []string{"c.root = c.id", "c.direction <> ''"}}
	if !q.From.IsZero() {
		c.and("c.started >= ?", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		c.and("c.started < ?", q.To.UnixMicro())
	}
	for _, f := range []struct{ part, value string }{
		{"c.source = ?", q.Source},
		{"c.direction = ?", string(q.Direction)},
		{"c.identity = ?", q.Identity},
		{"c.id IN (SELECT root FROM parties WHERE address = ?)", q.Extension},
		{"c.id IN (SELECT root FROM parties WHERE agent = ?)", q.Agent},
		{"c.id IN (SELECT root FROM stays WHERE queue = ?)", q.Queue},
		{"c.line = ?", q.Line},
	} {
		if f.value != "" {
			c.and(f.part, f.value)
		}
	}
	c.outcome(q)
	if name := FoldName(q.Name); name != "" {
		c.and("instr(c.name, ?) > 0", name)
	}
	c.number(q.Number, q.piece)
	c.visible(q.Visible)
	if q.Cursor != "" {
		started, id, err := readCursor(q.Cursor)
		if err != nil {
			return nil, err
		}
		c.and("(c.started, c.id) < (?, ?)", started, id)
	}
	return c, nil
}

func (c *condition) outcome(q Query) {
	if len(q.Disposition) > 0 {
		c.and("c.disposition IN (SELECT value FROM json_each(?))", list(q.Disposition))
	}
	if q.Recorded != nil {
		c.and("c.recorded = ?", *q.Recorded)
	}
	if q.Live != nil {
		c.and("c.live = ?", *q.Live)
	}
}

// wholeNumber is from how many digits on a number is looked for by its end,
// for which there is an index. National and international forms agree in the
// last ten.
const (
	wholeNumber = 7
	sameTail    = 10
)

func (c *condition) number(text string, piece bool) {
	if strings.TrimSpace(text) == "" {
		return
	}
	digits := FoldNumber(text)
	if digits == "" {
		c.and("0") // a number without a digit is nobody's
		return
	}
	if len(digits) >= wholeNumber && !piece {
		significant := strings.TrimLeft(digits, "0")
		tail := backwards(significant[max(0, len(significant)-sameTail):])
		c.and("c.id IN (SELECT root FROM numbers WHERE tail >= ? AND tail < ?)", tail, tail+":") // ':' follows '9'
		return
	}
	c.and("EXISTS (SELECT 1 FROM numbers n WHERE n.root = c.id AND instr(n.tail, ?) > 0)", backwards(digits))
}

// list binds many values as one; "" is none of them, for it stands for what is
// not known.
func list[T ~string](values []T) string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		if v != "" {
			out = append(out, string(v))
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return "[]" // strings can always be encoded
	}
	return string(raw)
}

// Call returns the record of a call, or of the one that it was merged into;
// ErrNotFound if there is none.
func (s *Store) Call(ctx context.Context, id string) (call.Call, error) {
	var c call.Call
	var raw []byte
	err := s.read.QueryRowContext(ctx, `SELECT c.record FROM calls c WHERE c.id = coalesce(
		(SELECT r.id FROM calls m JOIN calls r ON r.id = m.root WHERE m.id = ?), ?)`, id, id).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("%w: %.40q", ErrNotFound, id)
	}
	if err != nil {
		return c, fmt.Errorf("read call: %w", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("decode call: %w", err)
	}
	return c, nil
}

// eventsMost bounds the events of one call that are handed out.
const eventsMost = 20_000

// Events returns the events of a call in their order, after those of the calls
// that were merged into it; none if there is no such call.
func (s *Store) Events(ctx context.Context, id string) ([]call.Event, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT e.body FROM events e WHERE e.call IN
		(SELECT ? UNION SELECT m.id FROM calls m WHERE m.root = (SELECT root FROM calls WHERE id = ?))
		ORDER BY e.n LIMIT ?`, id, id, eventsMost)
	if err != nil {
		return nil, fmt.Errorf("read events of call: %w", err)
	}
	events, err := bodies(rows)
	if err != nil {
		return nil, fmt.Errorf("read events of call: %w", err)
	}
	return events, nil
}
