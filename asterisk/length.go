package asterisk

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"markaz/call"
)

// How long prompts are taken to be whose length is not known.
const (
	unknownSound = 30 * time.Second
	perDigit     = 2 * time.Second // of a number or of single digits
	learntKept   = time.Hour
)

// lengthOf adds up what is to be heard.
func (s *Switch) lengthOf(a call.Play) time.Duration {
	var sum time.Duration
	for _, p := range a.Prompts {
		if p.Kind != call.Sound {
			sum += perDigit * time.Duration(len(p.Value))
			continue
		}
		length, ok := s.lengths.get(a.Lang, p.Value, s.now())
		if !ok {
			length = s.fileLength(a.Lang, p.Value)
		}
		sum += length
	}
	return sum
}

// learn remembers how long a sound lasted that was heard to its end.
func (s *Switch) learn(lang, medium string, length time.Duration) {
	if file, ok := strings.CutPrefix(medium, string(call.Sound)+":"); ok && length > 0 {
		s.lengths.put(lang, file, length, s.now().Add(learntKept))
	}
}

// fileLength looks at the sound itself where it is on this machine.
func (s *Switch) fileLength(lang, file string) time.Duration {
	paths := []string{file}
	if !strings.HasPrefix(file, "/") {
		if s.cfg.Sounds == "" {
			return unknownSound
		}
		paths = []string{filepath.Join(s.cfg.Sounds, lang, file), filepath.Join(s.cfg.Sounds, file), filepath.Join(s.cfg.Sounds, "en", file)}
	}
	for _, path := range paths {
		for _, f := range soundFormats() {
			if info, err := os.Stat(path + f.ext); err == nil && info.Mode().IsRegular() {
				length := time.Duration(float64(info.Size()) / f.rate * float64(time.Second))
				s.lengths.put(lang, file, length, s.now().Add(lengthsKept))
				return length
			}
		}
	}
	return unknownSound
}

type soundFormat struct {
	ext  string
	rate float64 // bytes per second
}

// soundFormats are those that Asterisk's sound packages come in.
func soundFormats() []soundFormat {
	return []soundFormat{
		{".wav", 16000},
		{".ulaw", 8000},
		{".alaw", 8000},
		{".gsm", 1650},
		{".sln", 16000},
		{".sln16", 32000},
		{".g722", 8000},
		{".g729", 1000},
	}
}
