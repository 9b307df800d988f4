// Package gate lets people and programs in that come by HTTP: log-in by
// password or OpenID Connect, sessions, tokens, protection against requests
// that another site's page sends, and the headers that keep browsers careful.
//
// It knows who somebody is. What he may do, each handler asks the user that it
// is given.
package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"markaz/access"
	"markaz/access/audit"
	"markaz/access/store"
)

// Deps is what a Gate needs of the house.
type Deps struct {
	Access   access.Config
	People   []access.Person
	Profiles func(user string) []string // whom the CRM holds responsible for whom; may be nil
	Dir      string                     // folder of access.db and audit.db
	Now      func() time.Time
	Logger   *slog.Logger
	// Master is a token of the configuration that has every right; "" for none.
	Master string
}

// Gate guards the HTTP side. Close it at the end.
type Gate struct {
	cfg     Config
	dep     Deps
	store   *store.Store
	audit   *audit.Log
	proxies []netip.Prefix
	cross   *http.CrossOriginProtection
	brake   *brake
	hashing chan struct{} // bounds the memory that passwords take
	dummy   string        // what the passwords of unknown users are held against
	oidc    *provider     // nil without OpenID Connect

	mu      sync.Mutex
	policy  *access.Policy
	version int64
	built   time.Time
	users   map[string]*access.User
	touched map[string]time.Time // sessions and tokens, when last noted as used
}

// policyAge is how long users are believed without a change of an account:
// what the CRM says of responsibility may change at any time.
const policyAge = 30 * time.Second

// parallelHashes is how many passwords are tried at once.
const parallelHashes = 2

// Open opens the files and makes a gate.
func Open(ctx context.Context, cfg Config, dep Deps) (*Gate, error) {
	cfg.setDefaults()
	if err := errors.Join(cfg.Validate(), dep.Access.Validate()); err != nil {
		return nil, fmt.Errorf("read access configuration: %w", err)
	}
	g := &Gate{
		cfg: cfg, dep: dep, cross: http.NewCrossOriginProtection(), hashing: make(chan struct{}, parallelHashes),
		brake: newBrake(cfg.Login, dep.Now), version: -1, touched: map[string]time.Time{},
	}
	var err error
	if g.proxies, err = cfg.proxies(); err != nil {
		return nil, fmt.Errorf("read access configuration: %w", err)
	}
	if g.dummy, err = cfg.Password.Hash("nobody's"); err != nil {
		return nil, err
	}
	if g.store, err = store.Open(ctx, filepath.Join(dep.Dir, "access.db")); err != nil {
		return nil, err
	}
	if g.audit, err = audit.Open(ctx, filepath.Join(dep.Dir, "audit.db"), cfg.AuditKey, dep.Logger); err != nil {
		return nil, errors.Join(err, g.store.Close())
	}
	if cfg.OIDC.Issuer != "" {
		g.oidc = newProvider(cfg.OIDC, dep.Now)
	}
	return g, nil
}

// Close closes the files.
func (g *Gate) Close() error { return errors.Join(g.store.Close(), g.audit.Close()) }

// Audit is the record of who did what.
func (g *Gate) Audit() *audit.Log { return g.audit }

// Store is where accounts and tokens are kept.
func (g *Gate) Store() *store.Store { return g.store }

// Run removes what has expired, until ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		now := g.dep.Now()
		if err := g.store.SweepSessions(ctx, now, now.Add(-g.cfg.Session.Idle)); err != nil && ctx.Err() == nil {
			g.dep.Logger.Warn("old sessions not removed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Policy is who may do what, as it stands now.
func (g *Gate) Policy(ctx context.Context) (*access.Policy, error) {
	version, err := g.store.Version(ctx)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.dep.Now()
	if g.policy != nil && g.version == version && now.Sub(g.built) < policyAge {
		return g.policy, nil
	}
	accounts, err := g.store.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	g.policy = access.NewPolicy(g.dep.Access, g.dep.People, accounts, g.dep.Profiles)
	g.version, g.built, g.users = version, now, map[string]*access.User{}
	return g.policy, nil
}

// user finds a user as he is now.
func (g *Gate) user(ctx context.Context, name string) (*access.User, error) {
	p, err := g.Policy(ctx)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if u := g.users[name]; u != nil && g.policy == p {
		return u, nil
	}
	u, ok := p.User(name)
	if !ok {
		return nil, errStranger
	}
	if g.policy == p {
		g.users[name] = u
	}
	return u, nil
}

// note reports whether the use of a session or token is worth being written
// down: about once a minute.
func (g *Gate) note(key string, now time.Time) bool {
	const every, most = time.Minute, 10_000
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.touched[key]) < every {
		return false
	}
	if len(g.touched) >= most {
		clear(g.touched)
	}
	g.touched[key] = now
	return true
}

// EnsureAdministrator makes an administrator with a password of chance if
// nobody could log in otherwise, and returns his name and password; both empty
// if there was no need.
func (g *Gate) EnsureAdministrator(ctx context.Context) (name, password string, err error) {
	p, err := g.Policy(ctx)
	if err != nil || len(p.Users()) > 0 || g.oidc != nil {
		return "", "", err
	}
	password = RandomPassword()
	hash, err := g.cfg.Password.Hash(password)
	if err != nil {
		return "", "", err
	}
	a := access.Account{Name: "admin", Role: access.Administrator, Password: hash}
	if err := g.store.PutAccount(ctx, a, store.Identity{}, g.dep.Now()); err != nil {
		return "", "", err
	}
	err = g.audit.Record(ctx, audit.Entry{Who: "markaz", What: "user.add", Target: a.Name, Reason: "first start", Result: audit.OK})
	return a.Name, password, err
}
