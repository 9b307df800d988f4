// Package audit keeps the record of who did what: log-ins, monitoring of
// calls, recordings heard and taken away, settings, refusals. Records can be
// added and read; whatever changes, removes or inserts one afterwards is found
// by Verify.
//
// Each record carries an HMAC-SHA-256 over itself and the one before it, made
// with a key that lies beside the file, or elsewhere if the operator wants so.
// The newest record is written down once more beside the file, and logged from
// time to time: that finds the removal of the last ones. Who holds the key,
// the folder and the logs can forge everything, as everywhere; let the logs go
// to another machine.
package audit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"markaz/access/store"
)

// Entry is one record.
type Entry struct {
	Seq    int64     `json:"seq"` // from 1 without gap
	At     time.Time `json:"at"`
	Who    string    `json:"who"`    // user or token
	What   string    `json:"what"`   // such as login, monitor, recording.play
	Target string    `json:"target"` // call, user, token, recording
	Reason string    `json:"reason"` // that somebody gave
	From   string    `json:"from"`   // network address
	Result string    `json:"result"` // ok, refused, failed
	Detail string    `json:"detail"` // why refused; which agent was heard
	Hash   string    `json:"hash"`
}

// The results of an entry.
const (
	OK      = "ok"
	Refused = "refused"
	Failed  = "failed"
)

// maxText bounds each text of an entry, in bytes.
const maxText = 500

// anchorEvery is after how many records the newest is logged.
const anchorEvery = 100

// Log is the record. Any number of goroutines and processes may use it.
type Log struct {
	db   *sql.DB
	key  []byte
	head string // path of the file that names the newest record
	log  *slog.Logger
	now  func() time.Time
	mu   sync.Mutex // keeps the file of the newest record in order
}

// The table refuses changes even to those who open it by hand without malice.
const schema = `
CREATE TABLE IF NOT EXISTS audit (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, target TEXT NOT NULL,
  reason TEXT NOT NULL, origin TEXT NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_who ON audit (who, seq);
CREATE INDEX IF NOT EXISTS audit_target ON audit (target, seq);
CREATE TRIGGER IF NOT EXISTS audit_u BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_d BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are never removed'); END;
`

// Open opens the record or begins it. Key is the path of the key, which is
// made if it is not there; "" puts it beside the file.
func Open(ctx context.Context, path, key string, log *slog.Logger) (*Log, error) {
	if key == "" {
		key = path + ".key"
	}
	db, err := store.OpenDB(ctx, path, schema)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l := &Log{db: db, head: path + ".head", log: log, now: time.Now}
	if l.key, err = readKey(key); err == nil {
		err = l.refuseNewKey(ctx, key)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open audit log: %w", err), db.Close())
	}
	return l, nil
}

// refuseNewKey tells at once when the key is not that of the records.
func (l *Log) refuseNewKey(ctx context.Context, path string) error {
	last, prev, err := l.last(ctx)
	if err != nil || last.Seq == 0 || l.seal(last, prev) == last.Hash {
		return err
	}
	l.log.Error("the newest audit record does not match its key: run markaz audit verify", "key", path, "seq", last.Seq)
	return nil // go on recording all the same: Verify tells
}

// Close closes the file.
func (l *Log) Close() error { return l.db.Close() }

// readKey reads a key, or makes one that two processes agree on.
func readKey(path string) ([]byte, error) {
	for {
		text, err := os.ReadFile(path)
		if err == nil {
			key, err := hex.DecodeString(strings.TrimSpace(string(text)))
			if err != nil || len(key) < 32 {
				return nil, fmt.Errorf("key %s: want at least 64 hexadecimal digits", path)
			}
			return key, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read key: %w", err)
		}
		if err := makeKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make key: %w", err)
		}
	}
}

// makeKey writes a new key whole or not at all.
func makeKey(path string) (err error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, see crypto/rand
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(hex.EncodeToString(key[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path) // fails if another process was first
}

// Record adds a record. It returns when the record is on the disk; after an
// error what was to be recorded must not be done.
func (l *Log) Record(ctx context.Context, e Entry) error {
	e.At = l.now().UTC().Truncate(time.Microsecond)
	for _, s := range []*string{&e.Who, &e.What, &e.Target, &e.Reason, &e.From, &e.Result, &e.Detail} {
		*s = clean(*s)
	}
	if err := l.add(ctx, &e); err != nil {
		l.log.Error("audit record not written", "who", e.Who, "what", e.What, "target", e.Target, "err", err)
		return fmt.Errorf("write audit record: %w", err)
	}
	if e.Seq%anchorEvery == 1 {
		l.log.Info("audit log stands", "seq", e.Seq, "hash", e.Hash)
	}
	l.note(ctx, e)
	return nil
}

func (l *Log) add(ctx context.Context, e *Entry) error {
	tx, err := l.db.BeginTx(ctx, nil) // takes the lock of the writer at once
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to roll back
	var seq int64
	var prev string
	err = tx.QueryRowContext(ctx, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").Scan(&seq, &prev)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	e.Seq = seq + 1
	e.Hash = l.seal(*e, prev)
	if _, err := tx.ExecContext(ctx, "INSERT INTO audit (seq, at, who, what, target, reason, origin, result, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		e.Seq, e.At.UnixMicro(), e.Who, e.What, e.Target, e.Reason, e.From, e.Result, e.Detail, e.Hash); err != nil {
		return err
	}
	return tx.Commit()
}

// seal is the HMAC over a record and the one before it. Each field goes with
// its length, so that nothing can move from one to the next.
func (l *Log) seal(e Entry, prev string) string {
	h := hmac.New(sha256.New, l.key)
	var n [8]byte
	number := func(v int64) {
		binary.BigEndian.PutUint64(n[:], uint64(v))
		h.Write(n[:])
	}
	number(e.Seq)
	number(e.At.UnixMicro())
	for _, s := range []string{e.Who, e.What, e.Target, e.Reason, e.From, e.Result, e.Detail, prev} {
		number(int64(len(s)))
		h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// clean makes a text fit for a record: one line of valid UTF-8, bounded.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}
