package audit

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Query says which records are wanted; what is empty does not matter.
type Query struct {
	Who, What, Target string
	Since, Until      time.Time
	Before            int64 // only those with a lower number; 0: from the newest
	Limit             int   // at most 500; 0: 100
}

const (
	defaultLimit = 100
	maxLimit     = 500
)

// List returns records, the newest first. Next is the Before of the next page,
// 0 if there is none.
func (l *Log) List(ctx context.Context, q Query) (list []Entry, next int64, err error) {
	where, args := []string{"1"}, []any{}
	add := func(cond string, arg any, wanted bool) {
		if wanted {
			where, args = append(where, cond), append(args, arg)
		}
	}
	add("who = ?", q.Who, q.Who != "")
	add("what = ?", q.What, q.What != "")
	add("target = ?", q.Target, q.Target != "")
	add("at >= ?", q.Since.UnixMicro(), !q.Since.IsZero())
	add("at < ?", q.Until.UnixMicro(), !q.Until.IsZero())
	add("seq < ?", q.Before, q.Before > 0)
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	limit := min(q.Limit, maxLimit)
	rows, err := l.db.QueryContext(ctx, columns+" WHERE "+strings.Join(where, " AND ")+" ORDER BY seq DESC LIMIT ?", append(args, limit+1)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list audit records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, 0, fmt.Errorf("list audit records: %w", err)
		}
		list = append(list, e)
	}
	if len(list) > limit {
		list = list[:limit]
		next = list[limit-1].Seq
	}
	return list, next, rows.Err()
}

const columns = "SELECT seq, at, who, what, target, reason, origin, result, detail, hash FROM audit"

func scan(rows *sql.Rows) (e Entry, err error) {
	var at int64
	err = rows.Scan(&e.Seq, &at, &e.Who, &e.What, &e.Target, &e.Reason, &e.From, &e.Result, &e.Detail, &e.Hash)
	e.At = time.UnixMicro(at).UTC()
	return e, err
}

// last returns the newest record and the hash before it; zero if there is none.
func (l *Log) last(ctx context.Context) (e Entry, prev string, err error) {
	rows, err := l.db.QueryContext(ctx, columns+" ORDER BY seq DESC LIMIT 2")
	if err != nil {
		return e, "", fmt.Errorf("read newest audit record: %w", err)
	}
	defer rows.Close()
	for i := 0; rows.Next(); i++ {
		x, err := scan(rows)
		if err != nil {
			return e, "", fmt.Errorf("read newest audit record: %w", err)
		}
		if i == 0 {
			e = x
		} else {
			prev = x.Hash
		}
	}
	return e, prev, rows.Err()
}

// Head names the newest record.
type Head struct {
	Seq  int64
	Hash string
}

func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads the text form of a head, SEQ:HASH.
func ParseHead(text string) (Head, error) {
	seq, hash, ok := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if !ok || err != nil || n < 1 || hash == "" {
		return Head{}, fmt.Errorf("%q is not of the form SEQ:HASH", text)
	}
	return Head{n, hash}, nil
}

// note writes the newest record's name beside the file. Its failure loses a
// means of proof and no record, so that it is only logged.
func (l *Log) note(ctx context.Context, e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, err := l.noted(); err == nil {
		if known.Seq >= e.Seq {
			return // another process was faster
		}
		var hash string
		err := l.db.QueryRowContext(ctx, "SELECT hash FROM audit WHERE seq = ?", known.Seq).Scan(&hash)
		if err != nil || hash != known.Hash { // keep the proof
			l.log.Error("the audit log was tampered with: run markaz audit verify", "seq", known.Seq, "err", err)
			return
		}
	}
	tmp := fmt.Sprintf("%s.%d", l.head, os.Getpid())
	err := os.WriteFile(tmp, []byte(Head{e.Seq, e.Hash}.String()+"\n"), 0o600)
	if err == nil {
		err = os.Rename(tmp, l.head)
	}
	if err != nil {
		l.log.Warn("newest audit record not noted", "file", filepath.Base(l.head), "err", err)
	}
}

func (l *Log) noted() (Head, error) {
	text, err := os.ReadFile(l.head)
	if err != nil {
		return Head{}, err
	}
	return ParseHead(string(text))
}

// Fault is what Verify found: from this record on the log is not to be
// trusted.
type Fault struct {
	Seq  int64
	What string
}

func (f *Fault) Error() string { return fmt.Sprintf("record %d: %s", f.Seq, f.What) }

// Verify reads the whole record and returns its newest one. The error is a
// *Fault where something was changed, removed or inserted. Known are records
// that must be there as they were, from logs of another machine; the one noted
// beside the file is looked for too.
func (l *Log) Verify(ctx context.Context, known ...Head) (Head, error) {
	noted, err := l.noted()
	switch {
	case err == nil:
		known = append(known, noted)
	case !errors.Is(err, os.ErrNotExist):
		return Head{}, fmt.Errorf("verify audit log: read newest record: %w", err)
	}
	want := map[int64]string{}
	for _, h := range known {
		if other, ok := want[h.Seq]; ok && other != h.Hash {
			return Head{}, &Fault{h.Seq, "is known with two different hashes"}
		}
		want[h.Seq] = h.Hash
	}
	head, err := l.walk(ctx, want)
	if err != nil {
		return head, err
	}
	for seq := range want {
		if seq > head.Seq {
			return head, &Fault{head.Seq + 1, fmt.Sprintf("this and all following records up to at least %d are gone", seq)}
		}
	}
	if head.Seq > 0 && os.IsNotExist(l.headGone()) {
		return head, &Fault{head.Seq, "the note of the newest record beside the file is gone, so that later ones may be too"}
	}
	return head, nil
}

func (l *Log) headGone() error {
	_, err := os.Stat(l.head)
	return err
}

func (l *Log) walk(ctx context.Context, want map[int64]string) (Head, error) {
	var head Head
	rows, err := l.db.QueryContext(ctx, columns+" ORDER BY seq")
	if err != nil {
		return head, fmt.Errorf("verify audit log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return head, fmt.Errorf("verify audit log: %w", err)
		}
		if e.Seq != head.Seq+1 {
			return head, &Fault{head.Seq + 1, "is missing"}
		}
		if subtle.ConstantTimeCompare([]byte(l.seal(e, head.Hash)), []byte(e.Hash)) != 1 {
			return head, &Fault{e.Seq, "was changed, or one before it was"}
		}
		if hash, ok := want[e.Seq]; ok && hash != e.Hash {
			return head, &Fault{e.Seq, "is not the one that is known: the log was written anew"}
		}
		head = Head{e.Seq, e.Hash}
	}
	return head, rows.Err()
}
