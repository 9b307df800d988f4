package testbed

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Segal is a line monitor of the new generation of Oj Segal: it tells what
// happens on its lines as that device does, by what a capture of it shows, and
// refuses what cannot happen on a telephone line.
//
//	L1C09121234567@          the caller's number, before the first ring
//	L1R01@                   rings, counted
//	L1HF@                    the handset is lifted
//	L1D0@                    a digit is dialled
//	L1HND:0912 T0257@        hung up: what was dialled, minutes and seconds
type Segal struct {
	Cadence time.Duration // from ring to ring
	out     io.Writer

	mu    sync.Mutex
	lines []segalLine
}

type segalLine struct {
	rings   int
	lifted  time.Time
	dialled strings.Builder
}

// NewSegal makes a monitor of so many lines, 1 to 4, that writes to a port.
func NewSegal(lines int, out io.Writer) (*Segal, error) {
	if lines < 1 || lines > 4 {
		return nil, fmt.Errorf("a Segal has 1 to 4 lines, not %d", lines)
	}
	return &Segal{Cadence: 5 * time.Second, out: out, lines: make([]segalLine, lines)}, nil
}

// Ring tells the caller's number, "" if it is not shown, and so many rings,
// and returns after the last, before the next would come.
func (s *Segal) Ring(line int, number string, rings int) error {
	if err := s.begin(line, number); err != nil {
		return err
	}
	for i := range rings {
		if i > 0 {
			time.Sleep(s.Cadence)
		}
		if err := s.ring(line); err != nil {
			return err
		}
	}
	return nil
}

func (s *Segal) begin(line int, number string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.line(line)
	switch {
	case err != nil:
		return err
	case !l.lifted.IsZero():
		return fmt.Errorf("line %d is lifted and cannot ring", line)
	case number == "":
		return nil
	}
	l.rings = 0
	return s.say("L%dC%s@", line, number)
}

func (s *Segal) ring(line int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.lines[line-1]
	if !l.lifted.IsZero() {
		return fmt.Errorf("line %d is lifted and cannot ring", line)
	}
	l.rings++
	return s.say("L%dR%02d@", line, l.rings)
}

// Lift lifts the handset: to answer, or to dial.
func (s *Segal) Lift(line int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.line(line)
	if err != nil {
		return err
	}
	if !l.lifted.IsZero() {
		return fmt.Errorf("line %d is lifted already", line)
	}
	l.lifted, l.rings = time.Now(), 0
	l.dialled.Reset()
	return s.say("L%dHF@", line)
}

// Dial dials digits on a lifted line.
func (s *Segal) Dial(line int, digits string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.liftedLine(line)
	if err != nil {
		return err
	}
	for _, d := range digits {
		if !strings.ContainsRune("0123456789*#ABCD", d) {
			return fmt.Errorf("%q cannot be dialled", d)
		}
		l.dialled.WriteRune(d)
		if err := s.say("L%dD%c@", line, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Segal) liftedLine(line int) (*segalLine, error) {
	l, err := s.line(line)
	if err == nil && l.lifted.IsZero() {
		err = fmt.Errorf("line %d is not lifted", line)
	}
	return l, err
}

// HangUp puts the handset down.
func (s *Segal) HangUp(line int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.liftedLine(line)
	if err != nil {
		return err
	}
	sec := min(int(time.Since(l.lifted).Seconds()), 99*60+59)
	l.lifted = time.Time{}
	return s.say("L%dHND:%s T%02d%02d@", line, l.dialled.String(), sec/60, sec%60)
}

func (s *Segal) line(n int) (*segalLine, error) {
	if n < 1 || n > len(s.lines) {
		return nil, fmt.Errorf("there is no line %d", n)
	}
	return &s.lines[n-1], nil
}

func (s *Segal) say(format string, args ...any) error {
	if _, err := fmt.Fprintf(s.out, format+"\r\n", args...); err != nil {
		return fmt.Errorf("write to port: %w", err)
	}
	return nil
}
