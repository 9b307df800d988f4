package legacy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"markaz/call"
	"markaz/legacy/chain"
	"markaz/legacy/journal"
	"markaz/legacy/smdr"
)

// ImportReport says what became of an imported file.
type ImportReport struct {
	Source  string            `json:"source"`
	Bytes   int64             `json:"bytes"`
	Lines   uint64            `json:"lines"`
	Records uint64            `json:"records"` // taken
	Known   uint64            `json:"known"`   // taken before
	Kinds   map[string]uint64 `json:"kinds"`
	Calls   uint64            `json:"calls"`
	Events  uint64            `json:"events"`
	Done    bool              `json:"done"`
}

// importJob is a file being imported. Its calls are made by a machine of its
// own; what was taken before is left out, as everywhere.
type importJob struct {
	ctx     context.Context
	name    string // in the state
	file    io.ReadSeeker
	source  *source
	machine *panasonic
	at      time.Time // of the import: all its events are seen then
	offset  int64
	buf     []byte
	dirty   bool
	report  ImportReport
	done    chan error
}

// savedImport is what survives a restart.
type savedImport struct {
	At      time.Time       `json:"at"`
	Offset  int64           `json:"offset"`
	Machine json.RawMessage `json:"machine"`
	Report  ImportReport    `json:"report"`
}

// Import takes an old log of a source. Run must be at work. A file whose
// import was broken off goes on where it was; one that was imported before
// adds nothing.
func (e *Engine) Import(ctx context.Context, key string, file io.ReadSeeker) (ImportReport, error) {
	job, err := e.newImport(ctx, key, file)
	if err != nil {
		return ImportReport{}, fmt.Errorf("import: %w", err)
	}
	select {
	case e.imports <- job:
	case <-ctx.Done():
		return ImportReport{}, ctx.Err()
	}
	if err = <-job.done; err != nil {
		err = fmt.Errorf("import: %w", err)
	}
	return job.report, err
}

func (e *Engine) newImport(ctx context.Context, key string, file io.ReadSeeker) (*importJob, error) {
	s := e.sources[key]
	switch {
	case s == nil:
		return nil, fmt.Errorf("there is no source %q", key)
	case s.chain == nil:
		return nil, fmt.Errorf("source %s is a line monitor, whose frames carry no time", key)
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return &importJob{
		ctx: ctx, file: file, source: s, name: "import/" + key + "/" + hex.EncodeToString(h.Sum(nil)[:12]),
		buf: make([]byte, 64<<10), done: make(chan error, 1),
		report: ImportReport{Source: key, Kinds: map[string]uint64{}},
	}, nil
}

// begin makes the machine, and puts back what an earlier try has left. It is
// called by the engine's goroutine.
func (j *importJob) begin(e *Engine) error {
	cfg := j.source.chain.Config()
	cfg.Replays, cfg.Late = true, true
	m, err := newPanasonic(j.source.cfg, cfg, e.store.Seen(j.source.cfg.Key), j.watch)
	if err != nil {
		return err
	}
	j.machine, j.at = m, e.dep.Now().UTC()
	b, err := e.store.Snapshot(j.name)
	if err != nil {
		return err
	}
	if len(b) > 0 {
		var v savedImport
		if err := json.Unmarshal(b, &v); err != nil {
			return fmt.Errorf("go on with import: %w", err)
		}
		j.at, j.offset, j.report = v.At, v.Offset, v.Report
		if err := m.Restore(v.Machine); err != nil {
			return err
		}
	} else {
		m.Step(journal.Entry{Kind: journal.Up, At: j.at})
		// From now on events may be in the log that a next try makes again: what
		// they were seen at must be known to it.
		into := map[string][]byte{}
		if err := j.snapshot(into); err != nil {
			return err
		}
		if err := e.store.Save(j.name, into[j.name]); err != nil {
			return err
		}
	}
	_, err = j.file.Seek(j.offset, io.SeekStart)
	return err
}

func (j *importJob) watch(_ []byte, r *smdr.Record, verdict chain.Verdict) {
	if r.Kind == smdr.KindBlank {
		return
	}
	j.report.Lines++
	switch {
	case verdict == chain.Duplicate:
		j.report.Known++
		return
	case r.Kind.Dated() && verdict != chain.Future:
		j.report.Records++
	}
	j.report.Kinds[r.Kind.String()]++
}

// importSome takes the next piece of the file being imported; it reports
// whether there was one.
func (e *Engine) importSome(ctx context.Context) bool {
	j := e.job
	if j == nil {
		return false
	}
	done, err := j.some(ctx, e)
	if err == nil && done || err != nil && ctx.Err() == nil {
		e.seal(j, done)
		e.job = nil
		j.done <- err
	}
	return true
}

// dropImport lets go of an import that the end of the engine has broken off.
// Where it stands is saved with everything else.
func (e *Engine) dropImport(ctx context.Context) {
	if e.job != nil {
		e.job.done <- ctx.Err()
	}
}

func (j *importJob) some(ctx context.Context, e *Engine) (done bool, err error) {
	if j.machine == nil {
		if err := j.begin(e); err != nil {
			return false, err
		}
	}
	if err := errors.Join(ctx.Err(), j.ctx.Err()); err != nil {
		return false, err // it goes on at the next try
	}
	n, err := j.file.Read(j.buf)
	var events []call.Event
	switch {
	case n > 0:
		events = j.machine.Step(journal.Entry{Kind: journal.Data, At: j.at, Bytes: j.buf[:n]})
	case errors.Is(err, io.EOF):
		events, done = j.machine.Finish(j.at), true
	case err != nil:
		return false, fmt.Errorf("read file: %w", err)
	}
	if err := e.append(ctx, j.source, j.count(events)); err != nil {
		e.spoilt = true
		return false, err
	}
	j.offset += int64(n)
	j.report.Bytes, j.report.Done, j.dirty = j.offset, done, true
	return done, nil
}

func (j *importJob) count(events []call.Event) []call.Event {
	j.report.Events += uint64(len(events))
	for i := range events {
		if events[i].Kind == call.CallStarted {
			j.report.Calls++
		}
	}
	return events
}

// seal saves an import that has ended: its records are known for ever, and its
// state is not needed any more; or one that was broken off, to be gone on with.
func (e *Engine) seal(j *importJob, done bool) {
	time.Sleep(e.dep.Settled) // as for every checkpoint, until the events are safe
	if err := e.commit(); err != nil {
		e.log.Error("import could not be saved", "error", err)
		return
	}
	c, err := e.take()
	if err == nil {
		if done {
			c.Snapshots[j.name] = nil
		}
		err = e.store.Commit(c)
	}
	if err != nil {
		e.log.Error("import could not be saved", "error", err)
	}
}

// snapshot adds where the import stands.
func (j *importJob) snapshot(into map[string][]byte) error {
	j.dirty = false
	if j.machine == nil {
		return nil
	}
	m, err := j.machine.Snapshot()
	if err != nil {
		return err
	}
	b, err := json.Marshal(savedImport{At: j.at, Offset: j.offset, Machine: m, Report: j.report})
	if err != nil {
		return fmt.Errorf("save import: %w", err)
	}
	into[j.name] = b
	return nil
}
