package prompt

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"markaz/call"
)

// How far the sentences of a queue are made ahead. Beyond them a position is
// said as a number by the PBX, and a wait is more than an hour.
const (
	MostPositions = 50
	MostMinutes   = 60
)

// Position is what a caller hears about a place in a queue, from 1: the
// configured sound, else the sentence in that language, else, where that has
// not been made, the number said by the PBX.
func (s *Store) Position(language string, n int) []call.Prompt {
	if n < 1 {
		return nil
	}
	if p, ok := s.configured(s.cfg.Announce.Position, s.cfg.Announce.PositionSound, n); ok {
		return p
	}
	if n <= MostPositions {
		if p, ok := s.sentence(language, "spoken.position", n); ok {
			return p
		}
	}
	return number(n)
}

// Wait is what a caller hears about the estimated wait in minutes; 0 is less
// than one.
func (s *Store) Wait(language string, minutes int) []call.Prompt {
	minutes = max(0, minutes)
	if p, ok := s.configured(s.cfg.Announce.Wait, s.cfg.Announce.WaitSound, minutes); ok {
		return p
	}
	if p, ok := s.sentence(language, waitKey(minutes), minutes); ok {
		return p
	}
	if minutes == 0 {
		return nil
	}
	return number(minutes)
}

// Kept is what a caller hears who asks for his place when nothing can be said
// of it: that he is not forgotten.
func (s *Store) Kept(language string) []call.Prompt {
	p, ok := s.sentence(language, keptKey, 0)
	if !ok {
		return nil
	}
	return p
}

// keptKey is the sentence of Kept.
const keptKey = "spoken.hold"

// PreparePhrases makes the sentences for Position and Wait in all languages
// that the configuration has no sounds for, those that callers need most first. It takes one speech program at a time
// and is meant to run beside everything else; it returns when all are made, on
// the end of the context, or with what failed.
func (s *Store) PreparePhrases(ctx context.Context, languages []string) error {
	var errs []error
	for _, p := range phrases() {
		if s.replaced(p) {
			continue
		}
		for _, l := range languages {
			l, _ := s.words.Match(l)
			text := s.words.T(l, p.key, "n", p.n)
			_, err := s.Render(ctx, l, text)
			switch {
			case errors.Is(err, ErrNoProgram) || ctx.Err() != nil:
				return err
			case err != nil:
				errs = append(errs, fmt.Errorf("make %q in %s: %w", text, l, err))
			}
		}
	}
	return errors.Join(errs...)
}

// phrase is a sentence with a number.
type phrase struct {
	key string
	n   int
}

// phrases lists the sentences of a queue, the likely ones first.
func phrases() []phrase {
	list := []phrase{{keptKey, 0}, {waitKey(0), 0}}
	for n := 1; n <= max(MostPositions, MostMinutes); n++ {
		if n <= MostPositions {
			list = append(list, phrase{"spoken.position", n})
		}
		if n <= MostMinutes {
			list = append(list, phrase{waitKey(n), n})
		}
	}
	return append(list, phrase{waitKey(MostMinutes + 1), MostMinutes + 1})
}

// replaced reports whether the configuration has a sound for a sentence.
func (s *Store) replaced(p phrase) (ok bool) {
	switch p.key {
	case keptKey:
		return false
	case "spoken.position":
		_, ok = s.configured(s.cfg.Announce.Position, s.cfg.Announce.PositionSound, p.n)
	default:
		_, ok = s.configured(s.cfg.Announce.Wait, s.cfg.Announce.WaitSound, p.n)
	}
	return ok
}

func waitKey(minutes int) string {
	switch {
	case minutes < 1:
		return "spoken.wait.short"
	case minutes > MostMinutes:
		return "spoken.wait.long"
	}
	return "spoken.wait"
}

// said names a sentence of the catalogue.
type said struct {
	lang, key string
	n         int
}

// sentence is a sentence that has been made, in English if the catalogue does
// not have the language.
func (s *Store) sentence(language, key string, n int) ([]call.Prompt, bool) {
	l, _ := s.words.Match(language)
	k := said{l, key, n}
	name, ok := s.names.Load(k)
	if !ok {
		name = s.textName(l, s.words.T(l, key, "n", n))
		s.names.Store(k, name)
	}
	path, ok := s.look(name.(string))
	return []call.Prompt{{Kind: call.Sound, Value: path}}, ok
}

// configured is the sound that the configuration has for a number.
func (s *Store) configured(values map[int]string, template string, n int) ([]call.Prompt, bool) {
	if value, ok := values[n]; ok {
		tone, path := splitSound(value)
		if tone == "" {
			return []call.Prompt{{Kind: call.Sound, Value: path}}, true
		}
		path, ok = s.Tone(tone)
		return []call.Prompt{{Kind: call.Sound, Value: path}}, ok
	}
	path := strings.ReplaceAll(template, "{n}", strconv.Itoa(n))
	return []call.Prompt{{Kind: call.Sound, Value: path}}, template != ""
}

func number(n int) []call.Prompt {
	return []call.Prompt{{Kind: call.Number, Value: strconv.Itoa(n)}}
}
