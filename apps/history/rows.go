package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"markaz/call"
)

// record writes a call's row and what is looked for by.
func (w *writing) record(ctx context.Context, c *call.Call) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	root, err := w.rootOf(ctx, c)
	if err != nil {
		return err
	}
	var wait int64
	for i := range c.Queues {
		wait += c.Queues[i].WaitMS
	}
	exec := func(stmt *sql.Stmt, args ...any) {
		if err == nil {
			_, err = w.tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
		}
	}
	exec(w.stmt.call, c.ID, root, c.Source, string(c.Direction), !c.Over(), c.Started.UnixMicro(), micros(c.Answered), micros(c.Ended),
		string(c.Disposition), FoldName(c.FromName+" "+c.Known), line(c), c.Identity, recorded(c), wait, c.TalkMS, raw)
	for tail := range tails(c) {
		exec(w.stmt.number, c.ID, tail, root)
	}
	for i := range c.Legs {
		l := &c.Legs[i]
		exec(w.stmt.party, c.ID, l.ID, root, string(l.Role), l.Address, l.Agent, l.Queue, l.Started.UnixMicro(), micros(l.Answered),
			string(l.Result), l.RingMS, l.TalkMS)
	}
	for i := range c.Queues {
		q := &c.Queues[i]
		exec(w.stmt.stay, c.ID, i, root, q.Queue, q.Joined.UnixMicro(), q.WaitMS, q.Left)
	}
	return err
}

// rootOf is the call in which this one goes on. Those that were merged into
// this one go there with it.
func (w *writing) rootOf(ctx context.Context, c *call.Call) (string, error) {
	if c.MergedInto == "" {
		return c.ID, nil
	}
	root := c.MergedInto
	err := w.tx.StmtContext(ctx, w.stmt.root).QueryRowContext(ctx, c.MergedInto).Scan(&root)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	if root == c.ID { // merged into one another: each stays itself
		return c.ID, nil
	}
	for _, move := range []string{
		`UPDATE calls SET root = ? WHERE root = ?`, `UPDATE numbers SET root = ? WHERE root = ?`,
		`UPDATE parties SET root = ? WHERE root = ?`, `UPDATE stays SET root = ? WHERE root = ?`,
	} {
		if _, err := w.tx.ExecContext(ctx, move, root, c.ID); err != nil {
			return "", err
		}
	}
	return root, nil
}

func micros(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMicro()
}

// line names the line of a call: the trunk, else the number that was called.
func line(c *call.Call) string {
	if c.Line.Trunk != "" {
		return c.Line.Trunk
	}
	return c.Line.DID
}

// recorded reports whether there is, or will be, a recording to listen to.
func recorded(c *call.Call) bool {
	for i := range c.Recordings {
		if st := c.Recordings[i].State; st != "failed" && st != "deleted" {
			return true
		}
	}
	return false
}

// tails are the numbers by which a call can be found, written backwards.
func tails(c *call.Call) map[string]bool {
	out := map[string]bool{}
	add := func(number string) {
		if d := FoldNumber(number); d != "" {
			out[backwards(d)] = true
		}
	}
	for _, n := range []string{c.From, c.FromE164, c.To, c.ToE164, c.Line.DID, c.Reached} {
		add(n)
	}
	for i := range c.Legs {
		if r := c.Legs[i].Role; r == call.RoleCaller || r.Person() {
			add(c.Legs[i].Address)
		}
	}
	return out
}

func backwards(s string) string {
	var b strings.Builder
	for i := len(s) - 1; i >= 0; i-- {
		b.WriteByte(s[i])
	}
	return b.String()
}
