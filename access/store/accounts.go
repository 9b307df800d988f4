package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"markaz/access"
)

// Identity is who an account is at a provider of OpenID Connect; the zero
// value for accounts with a password.
type Identity struct{ Issuer, Subject string }

// PutAccount writes an account, the new in place of the old.
func (s *Store) PutAccount(ctx context.Context, a access.Account, id Identity, now time.Time) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode account: %w", err)
	}
	_, err = s.exec(ctx, "write account", `INSERT INTO accounts (name, body, password, issuer, subject, changed) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET body = excluded.body, password = excluded.password, issuer = excluded.issuer, subject = excluded.subject, changed = excluded.changed`,
		a.Name, string(body), a.Password, id.Issuer, id.Subject, stamp(now))
	return err
}

// DeleteAccount removes an account and its sessions. The error wraps
// ErrNotFound if there is none.
func (s *Store) DeleteAccount(ctx context.Context, name string) error {
	n, err := s.exec(ctx, "delete account", "DELETE FROM accounts WHERE name = ?", name)
	if err = must("delete account", n, err); err != nil {
		return err
	}
	return s.DeleteSessionsOf(ctx, name)
}

// Accounts lists all accounts by name.
func (s *Store) Accounts(ctx context.Context) ([]access.Account, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT body, password FROM accounts ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var out []access.Account
	for rows.Next() {
		var body, password string
		if err := rows.Scan(&body, &password); err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		var a access.Account
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			return nil, fmt.Errorf("decode account: %w", err)
		}
		a.Password = password
		out = append(out, a)
	}
	return out, rows.Err()
}

// Identified finds the name of the account of somebody known to a provider.
// The error wraps ErrNotFound if there is none.
func (s *Store) Identified(ctx context.Context, id Identity) (name string, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT name FROM accounts WHERE issuer = ? AND subject = ?", id.Issuer, id.Subject).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("find account: %w", err)
	}
	return name, nil
}

// IdentityOf tells who an account is at a provider; zero for one with a
// password. The error wraps ErrNotFound if there is no such account.
func (s *Store) IdentityOf(ctx context.Context, name string) (id Identity, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT issuer, subject FROM accounts WHERE name = ?", name).Scan(&id.Issuer, &id.Subject)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Identity{}, fmt.Errorf("find account: %w", err)
	}
	return id, nil
}

// Version rises with every change of an account, whoever made it.
func (s *Store) Version(ctx context.Context) (n int64, err error) {
	if err := s.db.QueryRowContext(ctx, "SELECT n FROM version").Scan(&n); err != nil {
		return 0, fmt.Errorf("read version of accounts: %w", err)
	}
	return n, nil
}
