package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/time/rate"

	"markaz/apps/crm"

	"markaz/operator"
)

// publicConfig says how CRMs reach this process: for recordings (/r/) and for
// what they ask (/crm/). Nothing else of it need be reachable for them.
type publicConfig struct {
	URL    string          `yaml:"url"`    // https://pbx.example.com; without it recordings have no address
	Listen string          `yaml:"listen"` // host:port for /r/ and /crm/ alone; default: they are on http.listen too
	Secret operator.Secret `yaml:"secret"` // signs addresses; the same in processes behind one url; default: made once
	Valid  time.Duration   `yaml:"valid"`  // how long addresses work at most; default 30 days
}

// Validate fills the defaults in and refuses what cannot work.
func (c *publicConfig) Validate() error {
	var out []error
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "") {
		out = append(out, fmt.Errorf("url: want https://host, have %q", c.URL))
	}
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			out = append(out, fmt.Errorf("listen: want host:port, have %q", c.Listen))
		}
	}
	if c.Secret != "" && len(c.Secret) < 16 {
		out = append(out, errors.New("secret: want at least 16 characters"))
	}
	if c.Valid == 0 {
		c.Valid = 30 * 24 * time.Hour
	}
	if c.Valid < time.Minute {
		out = append(out, fmt.Errorf("valid: want at least a minute, have %v", c.Valid))
	}
	return errors.Join(out...)
}

// openPublic takes the address of the public side, if it has one of its own.
func (s *server) openPublic(ctx context.Context) error {
	key, err := linkKey(s.cfg.Public, s.cfg.DataDir)
	if err != nil {
		return err
	}
	s.links = newLinks(s.cfg.Public, key, s.keeper.Open, s.log)
	if s.cfg.Public.Listen == "" {
		return nil
	}
	var lc net.ListenConfig
	if s.public, err = lc.Listen(ctx, "tcp", s.cfg.Public.Listen); err != nil {
		return fmt.Errorf("public.listen: %s cannot be used: %w", s.cfg.Public.Listen, err)
	}
	return nil
}

// asksPerSecond bounds what whoever finds the public side can ask for.
const asksPerSecond = 50

// publicSide serves recordings and the requests of CRMs.
func (s *server) publicSide() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /r/{token}/{name}", s.links)
	for _, sink := range s.sinks {
		asker, ok := sink.Connector().(crm.Asker)
		if !ok {
			continue
		}
		mux.Handle("/crm/"+sink.Name(), slowly(asker.Asks(func(ctx context.Context, a crm.Ask) error { return s.asked(ctx, sink.Name(), a) })))
	}
	return mux
}

func slowly(h http.Handler) http.Handler {
	limit := rate.NewLimiter(asksPerSecond, asksPerSecond)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !limit.Allow() {
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusTooManyRequests, "E4290", "Too many requests.")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// asked hands a CRM's wish for a call to the loop. What becomes of it comes
// back to the CRM as events of the call, or as a refusal.
func (s *server) asked(ctx context.Context, sink string, a crm.Ask) error {
	e, err := a.Event(sink)
	if err != nil {
		return err
	}
	for _, agent := range s.cfg.Floor.Agents {
		if agent.Extension == a.Extension {
			e.Agent = agent.ID
		}
	}
	s.log.Info("CRM asks for a call", "sink", sink, "extension", a.Extension, "agent", e.Agent, "request", e.Ref)
	post, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if !s.loop.Post(post, e) {
		return errors.New("no more requests are taken now")
	}
	return nil
}
