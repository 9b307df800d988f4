package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Sink takes what a device sends. Its methods return when it is kept.
type Sink interface {
	Up(detail []byte)   // the connection was made; detail tells what Resume needs
	Data(b []byte)      //
	Edge()              // no frame goes on behind this
	Down(reason string) // the connection was lost
}

var (
	// ErrRefused says that the device did not accept the log-in.
	ErrRefused = errors.New("log-in refused")
	// ErrBusy says that the device serves somebody else.
	ErrBusy = errors.New("device serves another client")
)

// Link is the connection to one device.
type Link struct {
	cfg    Config
	sink   Sink
	log    *slog.Logger
	tee    *tee
	resume []byte

	mu     sync.Mutex
	status Status
}

// Status is how a connection stands.
type Status struct {
	Connected  bool
	Since      time.Time // when that began
	Reconnects int
	Error      string // of the last failure
	Refused    bool   // that was the device's doing: see ErrRefused and ErrBusy
}

// New makes a link. resume is the detail of the session that is to be gone on
// with, if the kind of connection can.
func New(cfg Config, sink Sink, resume []byte, log *slog.Logger) *Link {
	return &Link{cfg: cfg, sink: sink, log: log, resume: resume}
}

// Status tells how the connection stands.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Run connects, and connects again, until ctx ends. It fails at once only when
// what it is to listen on cannot be had.
func (l *Link) Run(ctx context.Context) error {
	if l.cfg.Tee != "" {
		t, err := newTee(l.cfg.Tee, l.log)
		if err != nil {
			return err
		}
		l.tee = t
		defer t.close()
	}
	switch l.cfg.Type {
	case "listen":
		return l.listen(ctx)
	case "udp":
		return l.datagrams(ctx)
	}
	connect := map[string]func(context.Context) error{"tcp": l.dial, "serial": l.serial, "file": l.follow}[l.cfg.Type]
	wait := backoff{refused: l.cfg.Refused}
	for ctx.Err() == nil {
		begun := time.Now()
		err := connect(ctx)
		if ctx.Err() != nil {
			break
		}
		pause := wait.next(err, time.Since(begun), rand.Float64())
		l.failed(err)
		l.log.Warn("connection lost", "error", err, "again_in", pause.Round(time.Millisecond))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

func (l *Link) up(detail []byte) {
	l.mu.Lock()
	if !l.status.Since.IsZero() {
		l.status.Reconnects++
	}
	l.status.Connected, l.status.Since = true, time.Now()
	l.mu.Unlock()
	l.sink.Up(detail)
}

func (l *Link) down(err error) {
	l.mu.Lock()
	l.status.Connected, l.status.Since = false, time.Now()
	l.mu.Unlock()
	l.sink.Down(fmt.Sprint(err))
}

func (l *Link) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Error = fmt.Sprint(err)
	l.status.Refused = errors.Is(err, ErrRefused) || errors.Is(err, ErrBusy)
}

// data hands on what came.
func (l *Link) data(b []byte) {
	l.sink.Data(b)
	if l.tee != nil {
		l.tee.send(b)
	}
}

// backoff says how long to wait before the next try.
type backoff struct {
	refused  time.Duration
	failures int
	doubts   int // log-ins that ended without a word
}

// next takes the failure, how long the connection had lasted, and chance
// between 0 and 1.
func (b *backoff) next(err error, lasted time.Duration, chance float64) time.Duration {
	if errors.Is(err, errDoubtful) {
		b.doubts++
	} else if lasted > 10*time.Second {
		b.failures, b.doubts = 0, 0
	}
	if errors.Is(err, ErrRefused) || errors.Is(err, ErrBusy) || b.doubts >= 3 {
		return b.refused + time.Duration(chance*float64(b.refused)/10)
	}
	least, most := 1500*time.Millisecond, 3*time.Second // as long as a PBX needs to free its port
	for range min(b.failures, 4) {
		most *= 2
	}
	if lasted < 10*time.Second {
		b.failures++
	}
	return least + time.Duration(chance*float64(min(most, 30*time.Second)-least))
}
