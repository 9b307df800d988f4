package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"markaz/call"
)

const (
	scanEvery  = 10 * time.Minute
	scanRetry  = 5 * time.Second
	diskEvery  = 15 * time.Second
	sweepEvery = time.Hour
	eraseEvery = 5 * time.Second
	graceLeft  = 2 * time.Minute  // Handle brings in what stopped just now
	longest    = 24 * time.Hour   // no call goes on longer
	recordedIn = 10 * time.Second // the log surely has what was reported so long ago
)

// Run goes its rounds until ctx ends: it looks for recordings at the source
// that were left there, watches the disk, and deletes what is too old.
func (k *Keeper) Run(ctx context.Context) error {
	if err := k.tidy(); err != nil {
		return err
	}
	var rounds sync.WaitGroup
	rounds.Go(func() { repeat(ctx, k.scanRound) })
	rounds.Go(func() { repeat(ctx, k.diskRound) })
	rounds.Go(func() { repeat(ctx, k.eraseRound) })
	rounds.Go(func() { repeat(ctx, k.sweepRound) })
	rounds.Wait()
	return nil
}

// repeat calls f at once, and again after as long as it says.
func repeat(ctx context.Context, f func(context.Context) time.Duration) {
	for {
		t := time.NewTimer(f(ctx))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// tidy removes what a process that died was writing, and finishes what it was
// deleting.
func (k *Keeper) tidy() error {
	return k.archive.days(func(dir string, _ time.Time) bool {
		names, err := k.archive.list(dir)
		if err != nil {
			k.dep.Logger.Warn("folder not tidied", "folder", dir, "err", err)
			return true
		}
		for _, n := range names {
			switch base := path.Base(n); {
			case strings.HasPrefix(base, ".") && strings.HasSuffix(base, suffix+partMark):
				err = k.archive.root.Remove(filepath.FromSlash(n))
			case strings.HasSuffix(base, suffix+doomedMark):
				n = strings.TrimSuffix(n, doomedMark)
				if t, ok := parse(n, k.archive.zone); ok {
					k.deleted(t, n, "finished after a restart")
				}
			}
			if err != nil {
				k.dep.Logger.Warn("file not tidied away", "file", n, "err", err)
			}
		}
		return true
	})
}

func (k *Keeper) scanRound(ctx context.Context) time.Duration {
	err := k.scan(ctx)
	if ctx.Err() != nil {
		return scanRetry
	}
	text := fmt.Sprint(err)
	if err != nil && text != k.scanFault { // the same again is no news
		k.dep.Logger.Warn("recordings left at the source not seen", "err", err)
	}
	k.scanFault = text
	if err != nil {
		return scanRetry
	}
	k.count(func(s *Stats) { s.LastScan = k.dep.Now() })
	if k.scanEarly {
		return graceLeft
	}
	return scanEvery
}

// scan brings in what nobody told of: recordings that ended while Markaz was
// away, or whose events were lost.
func (k *Keeper) scan(ctx context.Context) error {
	k.scanEarly = false
	ids, err := k.dep.Source.List(ctx)
	if err != nil {
		return fmt.Errorf("list recordings at the source: %w", err)
	}
	var errs []error
	for _, id := range ids {
		callID, ours := callOf(id)
		if !ours {
			continue
		}
		switch err := k.found(ctx, callID, id); {
		case errors.Is(err, errEarly):
			k.scanEarly = true
		case err != nil && !errors.Is(err, errBusy):
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// errEarly is for a recording that Handle may bring in yet.
var errEarly = errors.New("has just stopped")

// found decides about one recording that lies at the source.
func (k *Keeper) found(ctx context.Context, callID, id string) error {
	n, err := k.recall(ctx, k.noted(callID))
	if err != nil {
		return err
	}
	t := n.tape(id)
	now := k.dep.Now()
	begun, _ := call.TimeOf(callID)
	switch {
	case t.file != "":
		return k.confirmed(ctx, id, t.file)
	case t.settled:
		return nil // failed or deleted: nothing to be done that was not tried
	case !t.stopped.IsZero() && now.Sub(t.stopped) < graceLeft:
		return errEarly
	case t.stopped.IsZero() && now.Sub(begun) < longest:
		return nil // goes on
	}
	err = k.finish(ctx, n, id)
	if errors.Is(err, errHopeless) {
		k.failed(n, id, err)
		return nil
	}
	return err
}

func (k *Keeper) diskRound(context.Context) time.Duration {
	percent, err := k.dep.Used()
	if err != nil {
		k.dep.Logger.Warn("disk of the recordings not measured", "err", err)
		return diskEvery
	}
	var was, now DiskState
	k.count(func(s *Stats) {
		was, now = s.Disk, k.cfg.Disk.next(s.Disk, percent)
		s.Disk, s.DiskUsed = now, percent
	})
	switch {
	case now == was:
	case now == DiskFull:
		k.dep.Logger.Error("disk of the recordings is full, new calls are not recorded", "used_percent", int(percent))
	case now == DiskWarn:
		k.dep.Logger.Warn("disk of the recordings is filling up", "used_percent", int(percent))
	default:
		k.dep.Logger.Info("disk of the recordings has room", "used_percent", int(percent))
	}
	return diskEvery
}

func (k *Keeper) sweepRound(context.Context) time.Duration {
	if k.cfg.Retention.Days == 0 {
		return sweepEvery
	}
	if err := k.sweep(); err != nil {
		k.dep.Logger.Warn("old recordings not deleted", "err", err)
	}
	k.count(func(s *Stats) { s.LastSweep = k.dep.Now() })
	return sweepEvery
}

// sweep deletes the recordings of days that are too long ago, but those on
// hold and files that are none of ours.
func (k *Keeper) sweep() error {
	now := k.dep.Now().In(k.archive.zone)
	var errs []error
	err := k.archive.days(func(dir string, day time.Time) bool {
		if now.Before(day.AddDate(0, 0, 1+k.cfg.Retention.Days)) {
			return true
		}
		names, err := k.archive.list(dir)
		errs = append(errs, err)
		for _, n := range names {
			if t, ok := parse(n, k.archive.zone); ok && !k.held(t) {
				errs = append(errs, k.delete(t, n, "retention"))
			}
		}
		return true
	})
	return errors.Join(append(errs, err)...)
}

// held reports whether a recording must stay.
func (k *Keeper) held(t title) bool {
	callID, _ := callOf(t.id)
	return k.hold[t.id] || k.hold[callID] || k.hold[t.from] || k.hold[t.to]
}

// Delete removes a recording now, because somebody asked for it; reason says
// who or why. One on hold is kept, and the error says so. The error wraps
// fs.ErrNotExist if there is no such recording.
func (k *Keeper) Delete(file, reason string) error {
	t, ok := parse(file, k.archive.zone)
	if !ok {
		return fmt.Errorf("delete recording: %w", fs.ErrNotExist)
	}
	if k.held(t) {
		return fmt.Errorf("delete recording %s: it is on hold", t.id)
	}
	return k.delete(t, file, reason)
}

// doomed is a recording out of sight, to be erased when the log surely has it.
type doomed struct {
	name  string
	since time.Time
}

// delete takes a recording out of sight and reports it. It is erased a little
// later: a crash in between is made good by tidy, so that the log never misses
// a deletion.
func (k *Keeper) delete(t title, name, reason string) error {
	if err := k.archive.doom(name); err != nil {
		return err
	}
	k.deleted(t, name, reason)
	return nil
}

func (k *Keeper) deleted(t title, name, reason string) {
	callID, _ := callOf(t.id)
	k.count(func(s *Stats) { s.Deleted++ })
	k.report(call.Event{Kind: call.RecordingDeleted, Call: callID, Recording: t.id, File: name, Reason: reason})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.doomed = append(k.doomed, doomed{name, k.dep.Now()})
}

func (k *Keeper) eraseRound(context.Context) time.Duration {
	k.mu.Lock()
	n := 0
	for n < len(k.doomed) && k.dep.Now().Sub(k.doomed[n].since) >= recordedIn {
		n++
	}
	due := k.doomed[:n]
	k.doomed = k.doomed[n:]
	k.mu.Unlock()
	for _, d := range due {
		if err := k.archive.erase(d.name); err != nil {
			k.dep.Logger.Warn("file left for the next start to erase", "file", d.name, "err", err)
			continue
		}
		k.archive.prune(path.Dir(d.name))
	}
	return eraseEvery
}
