package fastagi

import (
	"errors"
	"io"
	"testing"
	"time"
)

// stream starts a StreamFile in the background.
func stream(s *Session) chan Played {
	out := make(chan Played, 1)
	go func() {
		p, err := s.StreamFile("long", "1", 0, time.Minute)
		if err != nil {
			p.Key = err.Error()
		}
		out <- p
	}()
	return out
}

func (p *peer) expect(t testing.TB, want string) {
	t.Helper()
	if got, err := p.in.ReadString('\n'); got != want+"\n" || err != nil {
		t.Errorf("have %q %v, want %q", got, err, want)
	}
}

func (p *peer) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		t.Fatal(err)
	}
}

const (
	streamLong = `STREAM FILE "long" "1" 0`
	mark1      = `GET FULL VARIABLE "markaz-mark-1"`
	mark2      = `GET FULL VARIABLE "markaz-mark-2"`
)

func TestInterrupt(t *testing.T) {
	for name, c := range map[string]struct {
		play func(*testing.T, *peer)
		want Played
	}{
		"in the file": {func(t *testing.T, p *peer) {
			p.expect(t, mark1)
			p.say(t, "200 result=1 (markaz-mark-1)\n")
		}, Played{Interrupted: true}},
		"the file ended just before": {func(t *testing.T, p *peer) {
			p.expect(t, mark1)
			p.say(t, "200 result=0 endpos=800\n")
			p.say(t, "200 result=1 (markaz-mark-1)\n")
		}, Played{Position: 800}},
		"both answers at once": {func(t *testing.T, p *peer) {
			p.expect(t, mark1)
			p.say(t, "200 result=49 endpos=800\n200 result=1 (markaz-mark-1)\n")
		}, Played{Key: "1", Position: 800}},
		"the mark is stuck in a buffer": {func(t *testing.T, p *peer) {
			p.expect(t, mark1)
			p.expect(t, mark2) // which makes the socket readable
			p.say(t, "200 result=1 (markaz-mark-1)\n200 result=1 (markaz-mark-2)\n")
		}, Played{Interrupted: true}},
		"stuck, and the file ends": {func(t *testing.T, p *peer) {
			p.expect(t, mark1)
			p.say(t, "200 result=0 endpos=800\n")
			p.expect(t, mark2)
			p.say(t, "200 result=1 (markaz-mark-1)\n")
			p.say(t, "200 result=1 (markaz-mark-2)\n")
		}, Played{Position: 800}},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := pipe(t, header())
			got := stream(s)
			p.expect(t, streamLong)
			go s.Interrupt()
			c.play(t, p)
			if have := <-got; have != c.want {
				t.Errorf("have %+v, want %+v", have, c.want)
			}
			s.Proceed()
			go func() {
				p.expect(t, "NOOP")
				p.say(t, "200 result=0\n")
			}()
			if err := s.Noop(); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// An interrupt that comes before the file begins must not be lost, and must
// not stop what is played after Proceed.
func TestInterruptBeforehand(t *testing.T) {
	s, p := pipe(t, header())
	s.Interrupt()
	if have := <-stream(s); !have.Interrupted {
		t.Errorf("have %+v", have)
	}
	s.Proceed()
	got := stream(s)
	p.expect(t, streamLong)
	p.say(t, "200 result=0 endpos=800\n")
	if have := <-got; have != (Played{Position: 800}) {
		t.Errorf("have %+v", have)
	}
}

func TestInterruptOnlyWhatCanBe(t *testing.T) {
	s, p := pipe(t, header())
	go func() {
		p.expect(t, "WAIT FOR DIGIT 1000")
		s.Interrupt() // writes nothing
		p.say(t, "200 result=53\n")
	}()
	if key, err := s.WaitForDigit(time.Second); key != "5" || err != nil {
		t.Errorf("have %q %v", key, err)
	}
}

func TestInterruptWithoutAnswer(t *testing.T) {
	s, p := pipe(t, header())
	go func() { _, _ = io.Copy(io.Discard, p) }()
	done := make(chan error)
	go func() {
		_, err := s.StreamFile("long", "", 0, time.Minute)
		done <- err
	}()
	for !s.wire.isRunning() {
		time.Sleep(time.Millisecond)
	}
	s.Interrupt()
	if err := <-done; !errors.Is(err, ErrTimeout) {
		t.Errorf("have %v", err)
	}
}

func (w *wire) isRunning() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running
}
