// Package store keeps accounts, sessions and tokens in one SQLite file, so
// that they outlive a restart and that commands can change them while the
// server runs. Of sessions and tokens it keeps only SHA-256 hashes: their
// secrets have 256 random bits, so that a slow hash would add nothing.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the database itself, in pure Go
)

// ErrNotFound is wrapped where what was asked for is not there.
var ErrNotFound = errors.New("not found")

// Store is the file. Any number of goroutines and processes may use it.
type Store struct{ db *sql.DB }

const schema = `
CREATE TABLE IF NOT EXISTS accounts (
  name TEXT PRIMARY KEY, body TEXT NOT NULL, password TEXT NOT NULL DEFAULT '',
  issuer TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL DEFAULT '', changed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS accounts_subject ON accounts (issuer, subject) WHERE issuer <> '';
CREATE TABLE IF NOT EXISTS version (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL);
INSERT OR IGNORE INTO version VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS accounts_i AFTER INSERT ON accounts BEGIN UPDATE version SET n = n + 1; END;
CREATE TRIGGER IF NOT EXISTS accounts_u AFTER UPDATE ON accounts BEGIN UPDATE version SET n = n + 1; END;
CREATE TRIGGER IF NOT EXISTS accounts_d AFTER DELETE ON accounts BEGIN UPDATE version SET n = n + 1; END;
CREATE TABLE IF NOT EXISTS sessions (
  hash BLOB PRIMARY KEY, user TEXT NOT NULL, token TEXT NOT NULL, proof BLOB NOT NULL,
  created INTEGER NOT NULL, seen INTEGER NOT NULL, expires INTEGER NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_user ON sessions (user);
CREATE TABLE IF NOT EXISTS tokens (
  id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body TEXT NOT NULL,
  created INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0, revoked INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
`

// Open opens the file or makes it, readable by its owner alone.
func Open(ctx context.Context, path string) (*Store, error) {
	db, err := OpenDB(ctx, path, schema)
	if err != nil {
		return nil, fmt.Errorf("open accounts and sessions: %w", err)
	}
	return &Store{db}, nil
}

// OpenDB opens an SQLite file as Markaz likes them: readable by its owner
// alone, readers beside one writer, and every commit on the disk before it is
// told.
func OpenDB(ctx context.Context, path, schema string) (*sql.DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite gives its other files the same mode
	if err != nil {
		return nil, fmt.Errorf("make file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("make file: %w", err)
	}
	options := url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)", "trusted_schema(off)"},
		"_txlock": {"immediate"},
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
	}
	return db, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) exec(ctx context.Context, what, query string, args ...any) (int64, error) {
	res, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return n, nil
}

// must turns a change of nothing into ErrNotFound.
func must(what string, n int64, err error) error {
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return err
}

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func unstamp(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
