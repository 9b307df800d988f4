package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"markaz/access"
)

// Token lets a program or a big screen in. It acts for a user, with at most
// his rights, or has a role of its own.
type Token struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"` // what it is for
	User    string         `json:"user,omitempty"`
	Account access.Account `json:"account,omitzero"` // without User: role, teams, queues, rights
	Only    []access.Right `json:"only,omitempty"`   // no others; none named: all
	By      string         `json:"by,omitempty"`     // who made it
	Created time.Time      `json:"created"`
	Expires time.Time      `json:"expires,omitzero"` // never if zero
	Used    time.Time      `json:"used,omitzero"`    // about a minute exactly
	Revoked time.Time      `json:"revoked,omitzero"`
}

// Kiosk reports whether the token is one of a big screen.
func (t Token) Kiosk() bool { return t.User == "" && t.Account.Role == access.Kiosk }

// Good reports whether the token still lets in.
func (t Token) Good(now time.Time) bool {
	return t.Revoked.IsZero() && (t.Expires.IsZero() || now.Before(t.Expires))
}

// tokenPrefix makes tokens recognizable where they should not be, as in a
// public repository.
const tokenPrefix = "mkz_"

// IsToken reports whether a text has the form of a token.
func IsToken(text string) bool { return strings.HasPrefix(text, tokenPrefix) && len(text) < 200 }

// AddToken makes a token and returns its secret, which is nowhere else.
func (s *Store) AddToken(ctx context.Context, t Token) (Token, string, error) {
	var id [6]byte
	var key [32]byte
	_, _ = rand.Read(id[:]) // never fails, see crypto/rand
	_, _ = rand.Read(key[:])
	t.ID = hex.EncodeToString(id[:])
	secret := tokenPrefix + t.ID + "_" + base64.RawURLEncoding.EncodeToString(key[:])
	body, err := json.Marshal(t)
	if err != nil {
		return t, "", fmt.Errorf("encode token: %w", err)
	}
	_, err = s.exec(ctx, "write token", "INSERT INTO tokens (id, hash, body, created, expires) VALUES (?, ?, ?, ?, ?)",
		t.ID, hash(secret), string(body), stamp(t.Created), stamp(t.Expires))
	return t, secret, err
}

// TokenOf finds a token by its secret. The error wraps ErrNotFound if there is none.
func (s *Store) TokenOf(ctx context.Context, secret string) (Token, error) {
	return s.token(ctx, "hash = ?", hash(secret))
}

// Token finds a token by its id. The error wraps ErrNotFound if there is none.
func (s *Store) Token(ctx context.Context, id string) (Token, error) {
	return s.token(ctx, "id = ?", id)
}

func (s *Store) token(ctx context.Context, where string, arg any) (Token, error) {
	t, err := readToken(s.db.QueryRowContext(ctx, "SELECT body, expires, used, revoked FROM tokens WHERE "+where, arg).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Token{}, fmt.Errorf("find token: %w", err)
	}
	return t, nil
}

// Tokens lists all tokens, the oldest first, the revoked among them.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT body, expires, used, revoked FROM tokens ORDER BY created, id LIMIT 10000")
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	defer rows.Close()
	var out []Token
	for rows.Next() {
		t, err := readToken(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// RevokeToken ends a token for ever. The error wraps ErrNotFound if there is
// no such token, or it was revoked before.
func (s *Store) RevokeToken(ctx context.Context, id string, now time.Time) error {
	n, err := s.exec(ctx, "revoke token", "UPDATE tokens SET revoked = ? WHERE id = ? AND revoked = 0", stamp(now), id)
	return must("revoke token", n, err)
}

// TouchToken notes that a token was used.
func (s *Store) TouchToken(ctx context.Context, id string, now time.Time) error {
	_, err := s.exec(ctx, "touch token", "UPDATE tokens SET used = ? WHERE id = ?", stamp(now), id)
	return err
}

func readToken(scan func(...any) error) (Token, error) {
	var t Token
	var body string
	var expires, used, revoked int64
	if err := scan(&body, &expires, &used, &revoked); err != nil {
		return t, err
	}
	if err := json.Unmarshal([]byte(body), &t); err != nil {
		return t, fmt.Errorf("decode token: %w", err)
	}
	t.Expires, t.Used, t.Revoked = unstamp(expires), unstamp(used), unstamp(revoked)
	return t, nil
}
