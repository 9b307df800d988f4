package prompt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"markaz/lang"
)

// recipe is a part of every name. It changes when the way from speech to file
// does, so that old files are not taken for new ones.
const recipe = "1"

// temporary is how the names of unfinished files begin, and stale the age at
// which one that nobody finished is removed.
const (
	temporary = ".making-"
	stale     = time.Hour
)

// Store keeps the sounds that were made. Any number of goroutines may use it.
type Store struct {
	cfg     Config
	words   *lang.Catalogue
	log     *slog.Logger
	speaker speaker
	flights singleflight.Group // one maker for each name at a time

	mu    sync.RWMutex
	ready map[string]bool // names of sounds that are there and whole

	names sync.Map // said → name; there are as many as phrases and languages
}

// NewStore makes the folder, if it is not there, and a store in it.
func NewStore(cfg Config, words *lang.Catalogue, log *slog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make folder for prompts: %w", err)
	}
	s := &Store{
		cfg: cfg, words: words, log: log, ready: map[string]bool{},
		speaker: speaker{command: cfg.Command, timeout: cfg.Timeout, slots: make(chan struct{}, cfg.Processes)},
	}
	return s, s.sweep(time.Now())
}

// sweep removes what a crash left unfinished.
func (s *Store) sweep(now time.Time) error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("list prompts: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !strings.HasPrefix(entry.Name(), temporary) || now.Sub(info.ModTime()) < stale {
			continue
		}
		if err := os.Remove(filepath.Join(s.cfg.Dir, entry.Name())); err != nil {
			s.log.Warn("cannot remove unfinished prompt", "error", err)
		}
	}
	return nil
}

// Item is something to be made before calls ask for it: a text in a language,
// or a tone.
type Item struct {
	Path     string // where it stands in the configuration
	Lang     string
	Text     string
	Tone     string
	Optional bool // callers can do without it
}

// Prepare makes all items, and the tones that announcements are configured to
// use. It tells every failure with its path, and a missing speech program only
// once; what is optional is logged instead.
func (s *Store) Prepare(ctx context.Context, items []Item) error {
	for _, a := range s.cfg.Announce.sounds() {
		if a.tone != "" {
			items = append(items, Item{Path: "prompts." + a.path, Tone: a.tone})
		}
	}
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	slots := make(chan struct{}, s.cfg.Processes)
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = s.prepare(ctx, item)
		})
	}
	wg.Wait()
	return s.report(items, errs)
}

func (s *Store) prepare(ctx context.Context, item Item) error {
	var err error
	if item.Tone != "" {
		_, err = s.RenderTone(item.Tone)
	} else {
		_, err = s.Render(ctx, item.Lang, item.Text)
	}
	return err
}

// report joins the failures. The same one of several items, such as a missing
// program, is told once with all their paths.
func (s *Store) report(items []Item, errs []error) error {
	paths := map[string][]string{}
	var order []error
	for i, err := range errs {
		switch {
		case err == nil:
		case items[i].Optional:
			s.log.Warn("cannot make built-in prompt", "path", items[i].Path, "lang", items[i].Lang, "error", err)
		default:
			if paths[err.Error()] == nil {
				order = append(order, err)
			}
			paths[err.Error()] = append(paths[err.Error()], items[i].Path)
		}
	}
	var joined []error
	for _, err := range order {
		joined = append(joined, fmt.Errorf("%s: %w", strings.Join(slices.Compact(paths[err.Error()]), ", "), err))
	}
	return errors.Join(joined...)
}

// Render makes the sound of a text in a language, unless it is there, and
// gives its path as the PBX sees it, without extension.
func (s *Store) Render(ctx context.Context, language, text string) (string, error) {
	if err := lang.Speakable(text); err != nil {
		return "", err
	}
	name := s.textName(language, text)
	return s.obtain(ctx, name, func() ([]float64, error) { return s.speech(ctx, name, language, text) })
}

// RenderTone makes the sound of a tone, unless it is there, and gives its path
// as Render does.
func (s *Store) RenderTone(spec string) (string, error) {
	tone, err := ParseTone(spec)
	if err != nil {
		return "", fmt.Errorf("parse tone %q: %w", spec, err)
	}
	return s.obtain(context.Background(), toneName(spec), func() ([]float64, error) { return tone.samples(), nil })
}

// Text gives the path of a text that has been made.
func (s *Store) Text(language, text string) (path string, ok bool) {
	return s.look(s.textName(language, text))
}

// Tone gives the path of a tone that has been made.
func (s *Store) Tone(spec string) (path string, ok bool) { return s.look(toneName(spec)) }

func (s *Store) look(name string) (string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return path.Join(s.cfg.AsteriskDir, name), s.ready[name]
}

// obtain sees to it that the sound of that name is there. Whoever else asks
// for it meanwhile waits for the same attempt.
func (s *Store) obtain(ctx context.Context, name string, samples func() ([]float64, error)) (string, error) {
	for {
		if p, ok := s.look(name); ok {
			return p, nil
		}
		_, err, shared := s.flights.Do(name, func() (any, error) { return nil, s.write(name, samples) })
		// The attempt ended with the one who made it, but not with us.
		if shared && errors.Is(err, context.Canceled) && ctx.Err() == nil {
			continue
		}
		p, _ := s.look(name)
		return p, err
	}
}

// write makes the file, unless a whole one is there from before.
func (s *Store) write(name string, samples func() ([]float64, error)) error {
	file := s.file(name)
	if verify(file) != nil {
		made, err := samples()
		if err != nil {
			return err
		}
		if err := s.save(file, encode(made)); err != nil {
			return fmt.Errorf("save prompt: %w", err)
		}
		if err := verify(file); err != nil {
			return fmt.Errorf("verify prompt: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready[name] = true
	return nil
}

// save writes a file as a whole or not at all. It is not forced to the disk: a
// file that a crash cut short does not pass verify, and is made again.
func (s *Store) save(file string, raw []byte) error {
	f, err := os.CreateTemp(s.cfg.Dir, temporary+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	// The PBX runs as another user.
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// speech has a text spoken and brings it into the form of a telephone.
func (s *Store) speech(ctx context.Context, name, language, text string) ([]float64, error) {
	out := filepath.Join(s.cfg.Dir, temporary+name+".wav")
	raw, err := s.speaker.speak(ctx, language, s.voice(language), text, out)
	if err != nil {
		return nil, err
	}
	spoken, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("read speech: %w", err)
	}
	if len(spoken.samples) > maxSeconds*spoken.rate {
		return nil, fmt.Errorf("the speech is longer than %d seconds", maxSeconds)
	}
	samples := resample(spoken)
	if !level(samples) {
		return nil, fmt.Errorf("%s made silence of a text in %q; check its voice %q", s.cfg.Command[0], language, s.voice(language))
	}
	return samples, nil
}

func (s *Store) file(name string) string { return filepath.Join(s.cfg.Dir, name+".wav") }

func (s *Store) voice(language string) string {
	if v, ok := s.cfg.Voices[language]; ok {
		return v
	}
	return DefaultVoice(language)
}

// textName is the name of a text's sound: what it is made of, hashed.
func (s *Store) textName(language, text string) string {
	return "text-" + hash(append([]string{language, s.voice(language), text}, s.cfg.Command...))
}

func toneName(spec string) string { return "tone-" + hash([]string{spec}) }

func hash(parts []string) string {
	// JSON keeps the parts apart; a slice of strings always has a form in it.
	raw, _ := json.Marshal(append([]string{recipe}, parts...))
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// ordered ranges over a map in the order of its keys.
func ordered(m map[int]string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for _, n := range slices.Sorted(maps.Keys(m)) {
			if !yield(n, m[n]) {
				return
			}
		}
	}
}
