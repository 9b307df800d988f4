package history

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"markaz/call"
)

//go:embed schema.sql
var schema string

// layout is the version of the schema. A file of another one is refused: it is
// made anew from the stream by taking it away.
const layout = "1"

// Store is the history. Its methods may be called by several goroutines.
type Store struct {
	cfg   Config
	write *sql.DB // one connection
	read  *sql.DB
	stmt  statements
	name  string
	stats *stats

	mu      sync.Mutex
	waiting []*taking // handed over and not begun
	busy    bool      // somebody writes

	// Only who is busy touches these.
	calls map[string]*call.Call // that are going on, as folded so far
}

// statements are prepared on the writing connection.
type statements struct {
	event, call, number, party, stay *sql.Stmt
	events, root                     *sql.Stmt
}

// Open opens the file, which is made if it is not there.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, calls: map[string]*call.Call{}, stats: newStats()}
	var err error
	// Every event that was taken is on the disk before it is acknowledged.
	if s.write, err = open(cfg.File, "_txlock=immediate", "_pragma=synchronous(FULL)"); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open history %s: %w", cfg.File, err), s.write.Close())
	}
	if s.read, err = open(cfg.File, "_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(4)
	return s, nil
}

// OpenToRead opens a file that is there for reading alone, beside the process
// that writes it.
func OpenToRead(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(cfg.File); err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	db, err := open(cfg.File, "_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, read: db, write: db, stats: newStats()}
	if err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'name'`).Scan(&s.name); err != nil {
		return nil, errors.Join(fmt.Errorf("open history %s: %w", cfg.File, err), db.Close())
	}
	return s, nil
}

func open(file string, more ...string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath()}
	q := "_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=temp_store(MEMORY)"
	for _, m := range more {
		q += "&" + m
	}
	u.RawQuery = q
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open history %s: %w", file, err)
	}
	return db, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if _, err := s.write.ExecContext(ctx, schema); err != nil {
		return err
	}
	for _, m := range [][2]string{{"layout", layout}, {"name", rand.Text()}} {
		if _, err := s.write.ExecContext(ctx, `INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING`, m[0], m[1]); err != nil {
			return err
		}
	}
	var have string
	if err := s.write.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'layout'`).Scan(&have); err != nil {
		return err
	}
	if have != layout {
		return fmt.Errorf("it has layout %s, this program knows %s; move it away and it is made anew from the stream", have, layout)
	}
	if err := s.write.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'name'`).Scan(&s.name); err != nil {
		return err
	}
	return s.prepareStatements(ctx)
}

func (s *Store) prepareStatements(ctx context.Context) error {
	for _, p := range []struct {
		dst *(*sql.Stmt)
		sql string
	}{
		{&s.stmt.event, `INSERT INTO events (id, call, body) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING`},
		{&s.stmt.events, `SELECT body FROM events WHERE call = ? ORDER BY n`},
		{&s.stmt.root, `SELECT root FROM calls WHERE id = ?`},
		{&s.stmt.call, `INSERT INTO calls (id, root, source, direction, live, started, answered, ended, disposition, name, line, identity, recorded, wait_ms, talk_ms, record)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET root = excluded.root, source = excluded.source, direction = excluded.direction, live = excluded.live,
			started = excluded.started, answered = excluded.answered, ended = excluded.ended, disposition = excluded.disposition,
			name = excluded.name, line = excluded.line, identity = excluded.identity, recorded = excluded.recorded,
			wait_ms = excluded.wait_ms, talk_ms = excluded.talk_ms, record = excluded.record`},
		{&s.stmt.number, `INSERT INTO numbers (call, tail, root) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET root = excluded.root`},
		{&s.stmt.party, `INSERT INTO parties (call, leg, root, role, address, agent, queue, started, answered, result, ring_ms, talk_ms)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET root = excluded.root, role = excluded.role, address = excluded.address, agent = excluded.agent, queue = excluded.queue,
			started = excluded.started, answered = excluded.answered, result = excluded.result, ring_ms = excluded.ring_ms, talk_ms = excluded.talk_ms`},
		{&s.stmt.stay, `INSERT INTO stays (call, n, root, queue, joined, wait_ms, left_by) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET root = excluded.root, wait_ms = excluded.wait_ms, left_by = excluded.left_by`},
	} {
		stmt, err := s.write.PrepareContext(ctx, p.sql)
		if err != nil {
			return err
		}
		*p.dst = stmt
	}
	return nil
}

// Name is a name of this very file, chosen by chance when it was made: the
// reader of the stream that feeds it bears it, so that a file that is made anew
// gets the whole stream anew.
func (s *Store) Name() string { return s.name }

// Close closes the file.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }
