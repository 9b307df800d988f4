package asterisk

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/call"
)

// ErrReplaced is returned by Run when another process has taken over the
// Stasis application: this one must stay away from the calls.
var ErrReplaced = errors.New("another instance has taken over the Stasis application")

// Switch is one Asterisk server.
type Switch struct {
	cfg    Config
	log    *slog.Logger
	sink   func(call.Event)
	now    func() time.Time
	chance io.Reader
}

// Option changes what New takes for granted.
type Option func(*Switch)

// WithClock gives the time; the default is time.Now.
func WithClock(now func() time.Time) Option { return func(s *Switch) { s.now = now } }

// WithChance gives the randomness of ids; the default is crypto/rand.
func WithChance(r io.Reader) Option { return func(s *Switch) { s.chance = r } }

// New makes a Switch. Events go to sink, which may block for a moment; it is
// called from several goroutines, in order for each leg.
func New(cfg Config, log *slog.Logger, sink func(call.Event), opts ...Option) (*Switch, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Switch{cfg: cfg, log: log, sink: sink, now: time.Now}
	for _, o := range opts {
		o(s)
	}
	return s, nil
}

// Run connects and works until ctx ends (nil), another instance takes over
// (ErrReplaced), or a permanent error: Asterisk refuses the password, or the
// FastAGI port is taken.
func (s *Switch) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Do has an action done. It never blocks; actions of one leg are done in
// order, and what cannot be done is told by ActionFailed.
func (s *Switch) Do(a call.Action) {}

// Ready says why calls cannot be served now, or nil.
func (s *Switch) Ready() error { return nil }

// Drain takes no new calls and waits until the last leg is gone or ctx ends.
func (s *Switch) Drain(ctx context.Context) error { return nil }

// Stats is a snapshot for people; metrics are for machines.
type Stats struct {
	Connected bool
	Legs      int
}

// Stats returns the present figures.
func (s *Switch) Stats() Stats { return Stats{} }

// Register adds the metrics of this Switch to a registry.
func (s *Switch) Register(reg prometheus.Registerer) error { return nil }

// FetchRecording copies a finished recording to w and returns its length in
// bytes.
func (s *Switch) FetchRecording(ctx context.Context, id string, w io.Writer) (int64, error) {
	return 0, nil
}

// DeleteRecording removes a recording from Asterisk; it is no error when it
// is not there.
func (s *Switch) DeleteRecording(ctx context.Context, id string) error { return nil }

// StoredRecordings lists the ids of the finished recordings on Asterisk.
func (s *Switch) StoredRecordings(ctx context.Context) ([]string, error) { return nil, nil }
