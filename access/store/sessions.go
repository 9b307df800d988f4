package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Session is one log-in.
type Session struct {
	User    string
	Token   string // id of the token by which a big screen came; "" for people
	Proof   []byte // of the password at log-in: another one ends the session
	Created time.Time
	Seen    time.Time
	Expires time.Time
	Address string
	Agent   string // browser
}

// PutSession keeps a session under the hash of its secret.
func (s *Store) PutSession(ctx context.Context, secret string, x Session) error {
	_, err := s.exec(ctx, "write session", "INSERT INTO sessions (hash, user, token, proof, created, seen, expires, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		hash(secret), x.User, x.Token, x.Proof, stamp(x.Created), stamp(x.Seen), stamp(x.Expires), x.Address, x.Agent)
	return err
}

// Session finds a session. The error wraps ErrNotFound if there is none.
func (s *Store) Session(ctx context.Context, secret string) (x Session, err error) {
	var created, seen, expires int64
	err = s.db.QueryRowContext(ctx, "SELECT user, token, proof, created, seen, expires, address, agent FROM sessions WHERE hash = ?", hash(secret)).
		Scan(&x.User, &x.Token, &x.Proof, &created, &seen, &expires, &x.Address, &x.Agent)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Session{}, fmt.Errorf("find session: %w", err)
	}
	x.Created, x.Seen, x.Expires = unstamp(created), unstamp(seen), unstamp(expires)
	return x, nil
}

// TouchSession notes that a session was used.
func (s *Store) TouchSession(ctx context.Context, secret string, now time.Time) error {
	_, err := s.exec(ctx, "touch session", "UPDATE sessions SET seen = ? WHERE hash = ?", stamp(now), hash(secret))
	return err
}

// DeleteSession ends a session; it is no error if there is none.
func (s *Store) DeleteSession(ctx context.Context, secret string) error {
	_, err := s.exec(ctx, "end session", "DELETE FROM sessions WHERE hash = ?", hash(secret))
	return err
}

// DeleteSessionsOf ends all sessions of a user.
func (s *Store) DeleteSessionsOf(ctx context.Context, user string) error {
	_, err := s.exec(ctx, "end sessions", "DELETE FROM sessions WHERE user = ?", user)
	return err
}

// SweepSessions removes what has expired, or was not used since idle.
func (s *Store) SweepSessions(ctx context.Context, now, idle time.Time) error {
	_, err := s.exec(ctx, "sweep sessions", "DELETE FROM sessions WHERE expires < ? OR (seen < ? AND token = '')", stamp(now), stamp(idle))
	return err
}

func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
