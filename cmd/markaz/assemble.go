package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"markaz/access/gate"
	"markaz/apps"
	"markaz/apps/crm"
	"markaz/apps/dashboard"
	"markaz/apps/dashboard/hub"
	"markaz/apps/history"
	"markaz/apps/inbound"
	"markaz/apps/recording"
	"markaz/apps/trunkalarm"
	"markaz/asterisk"
	"markaz/asterisk/ari"
	"markaz/call"
	"markaz/ivr"
	"markaz/ivr/prompt"
	"markaz/lang"
	"markaz/queue"
	"markaz/recorder"
	"markaz/stream"
)

// server is everything that runs, joined together.
type server struct {
	cfg     *config
	log     *slog.Logger
	reg     *prometheus.Registry
	web     net.Listener // nil when HTTP is off
	gate    *gate.Gate   // nil when HTTP is off
	roster  *roster
	stream  *stream.Log
	client  *stream.Client // for those who read
	prompt  *prompt.Store
	floor   *queue.Floor
	numbers officeNumbers
	sw      *asterisk.Switch
	loop    *apps.Loop
	keeper  *recorder.Keeper
	sinks   []*crm.Sink
	book    *crm.Phonebook
	store   *history.Store
	links   *links
	hub     *hub.Hub
	pages   *dashboard.Web
	public  net.Listener // nil: the public side has no address of its own
	born    time.Time

	languages []string // that callers hear
	watched   watched
}

// assemble makes a server and takes every resource that another process may
// hold, so that a conflict is told at once. Close gives them back.
func assemble(ctx context.Context, cfg *config, log *slog.Logger) (s *server, err error) {
	s = &server{cfg: cfg, log: log, reg: prometheus.NewRegistry(), born: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	s.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	if err := os.MkdirAll(cfg.DataDir, 0o750); err != nil {
		return s, fmt.Errorf("make data folder: %w", err)
	}
	for _, step := range []func(context.Context) error{
		s.listen, s.openGate, s.openStream, s.openHistory, s.makeRecorder, s.openPublic, s.makeHub, s.makeCalls, s.recover, s.makeObserver, s.makeSinks, s.register,
	} {
		if err := step(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Close gives back what assemble took.
func (s *server) Close() error {
	var errs []error
	if s.web != nil {
		_ = s.web.Close() // the HTTP server has closed it if it ran
	}
	if s.gate != nil {
		errs = append(errs, s.gate.Close())
	}
	if s.public != nil {
		_ = s.public.Close()
	}
	if s.keeper != nil {
		errs = append(errs, s.keeper.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.client != nil {
		errs = append(errs, s.client.Close())
	}
	if s.stream != nil {
		errs = append(errs, s.stream.Close())
	}
	return errors.Join(errs...)
}

func (s *server) listen(ctx context.Context) error {
	if s.cfg.HTTP.Listen == "" {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.cfg.HTTP.Listen)
	if err != nil {
		return fmt.Errorf("http.listen: %s cannot be used: %w; another Markaz may be running", s.cfg.HTTP.Listen, err)
	}
	s.web = l
	return nil
}

func (s *server) openStream(context.Context) (err error) {
	if s.stream, err = stream.Open(s.cfg.Stream, s.log); err != nil {
		return err
	}
	if s.client, err = stream.Connect(s.cfg.Stream, s.log); err != nil {
		return err
	}
	s.roster, err = openRoster(filepath.Join(s.cfg.DataDir, "agents.json"), s.log)
	return err
}

// makeCalls makes the switch, the applications and the loop that joins them.
func (s *server) makeCalls(ctx context.Context) error {
	words := lang.New()
	store, err := prompt.NewStore(s.cfg.Prompts, words, s.log)
	if err != nil {
		return err
	}
	s.prompt = store
	var items []prompt.Item
	for _, speech := range s.cfg.IVR.Speech(words) {
		items = append(items, prompt.Item(speech))
	}
	if err := store.Prepare(ctx, items); err != nil {
		return err
	}
	book, err := ivr.NewBook(s.cfg.IVR, store, words)
	if err != nil {
		return err
	}
	s.languages = book.Languages()
	if s.floor, err = queue.New(s.cfg.Floor); err != nil {
		return err
	}
	if s.numbers, err = newOfficeNumbers(s.cfg); err != nil {
		return err
	}
	background := context.WithoutCancel(ctx) // the loop outlives the signal to stop
	s.sw, err = asterisk.New(s.cfg.Asterisk, s.log, s.hear(background))
	if err != nil {
		return err
	}
	s.loop, err = apps.NewLoop(s.cfg.Loop, apps.Deps{
		Log: journal{s.stream, s.roster, s.hub}, Switch: hands{s.sw, func() *crm.Phonebook { return s.book }}, Now: time.Now, NewID: newID, Logger: s.log,
		Source: s.cfg.Asterisk.Source, Numbers: s.numbers, Believe: crm.NewOrder(s.cfg.CRM).Believes,
		Machines: append([]apps.Machine{
			inbound.New(s.cfg.Inbound, book, s.floor, store),
			recording.New(s.keeper),
			trunkalarm.New(),
			crm.Identify{},
		}, s.requests(book)...),
	})
	return err
}

// journal is where the loop's events go.
type journal struct {
	*stream.Log
	roster *roster
	hub    *hub.Hub
}

// Append implements apps.Log.
func (j journal) Append(e call.Event) error {
	j.roster.note(e)
	j.hub.Note(e)
	return j.Log.Append(e)
}

// recover rebuilds the calls that were going on from the spool, and the agents
// from their last states, without asking anybody else.
func (s *server) recover(ctx context.Context) error {
	events := 0
	err := s.stream.Recover(ctx, func(e call.Event) {
		events++
		s.loop.Restore(e)
		s.watched.note(e)
		s.roster.note(e)
	})
	if err != nil {
		return err
	}
	open := s.loop.Restored()
	s.watched.open = open
	for _, e := range s.roster.events() {
		s.floor.Fold(e)
	}
	s.log.Info("recovered", "events", events, "open_calls", len(open))
	return nil
}

// makeRecorder opens the archive of recordings, which asks the switch for them.
func (s *server) makeRecorder(context.Context) (err error) {
	s.keeper, err = recorder.NewKeeper(s.cfg.Recorder, recorder.Deps{
		Source: recordings{s}, History: s.history, Report: s.fact, Now: time.Now, Logger: s.log,
	})
	return err
}

// recordings is where recordings are made, as the archive sees it.
type recordings struct{ s *server }

// Fetch implements recorder.Source.
func (r recordings) Fetch(ctx context.Context, id string, w io.Writer) error {
	if observedRecording(id) {
		return r.s.fetchObserved(ctx, id, w)
	}
	if key, file, ok := sidecarID(id); ok {
		return r.s.cfg.Sidecars.fetch(ctx, key, file, w)
	}
	_, err := r.s.sw.FetchRecording(ctx, id, w)
	if ari.Gone(err) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// Delete implements recorder.Source.
func (r recordings) Delete(ctx context.Context, id string) error {
	if observedRecording(id) {
		return nil
	}
	if _, _, ok := sidecarID(id); ok {
		return nil // a recorder's files are its own
	}
	return r.s.sw.DeleteRecording(ctx, id)
}

// List implements recorder.Source.
func (r recordings) List(ctx context.Context) ([]string, error) {
	return r.s.sw.StoredRecordings(ctx)
}

func (s *server) makeSinks(context.Context) error {
	dep := crm.Deps{
		Local:   s.numbers.local,
		History: s.history, Report: s.fact, Now: time.Now, Chance: chance, Logger: s.log,
		Notes: stream.NewNotes(s.client, notesKept), Files: archive{s.links, s.keeper.Open},
	}
	var err error
	s.sinks, err = crm.Open(s.cfg.CRM, dep)
	s.book = crm.NewPhonebook(s.cfg.Identify, s.sinks, dep)
	return err
}

// notesKept is how long a CRM's ids of a call are remembered.
const notesKept = 30 * 24 * time.Hour

// archive gives connectors the recordings.
type archive struct {
	*links
	sound func(file string) (*os.File, error)
}

// Open implements crm.Files.
func (a archive) Open(r call.Recording) (io.ReadCloser, error) { return a.sound(r.File) }

// fact gives the loop something to record.
func (s *server) fact(e call.Event) { s.loop.Post(context.Background(), e) }

func (s *server) register(context.Context) error {
	s.loop.Register(s.reg)
	s.reg.MustRegister(floorFigures{s}, s.book, s.links.used)
	for _, sink := range s.sinks {
		if err := s.reg.Register(sink); err != nil {
			return fmt.Errorf("register metrics of sink %s: %w", sink.Name(), err)
		}
	}
	s.reg.MustRegister(s.stream.Collector())
	return s.sw.Register(s.reg)
}

func buildInfo() prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "markaz_build_info", Help: "The version that runs; always 1.", ConstLabels: prometheus.Labels{"version": version},
	})
	g.Set(1)
	return g
}

func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return call.NewID(time.Now(), b)
}
