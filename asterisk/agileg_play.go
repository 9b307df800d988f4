package asterisk

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"markaz/call"
)

// allKeys stop any prompt: Asterisk drops a key that does not. When it is one
// that shall not stop the Play, the prompt goes on where it was.
const allKeys = "0123456789*#ABCD"

// errStopped ends a Play before its end.
var errStopped = errors.New("stopped")

// play says the prompts of a Play and tells its end. Like in Stasis, a prompt
// that cannot be played does not keep the others from being heard.
func (l *agiLeg) play(a call.Play) error {
	l.mail.begin(a.ID)
	defer l.mail.end()
	if _, err := mediaOf(a.Prompts); err != nil {
		return err
	}
	if err := l.speak(a.Lang); err != nil {
		return err
	}
	done := call.Event{Kind: call.PlayDone, Ref: a.ID, Reason: "ok"}
	for _, p := range a.Prompts {
		err := l.say(p, a.Barge)
		if l.session.Err() != nil {
			return err // the end of the leg tells enough
		}
		if errors.Is(err, errStopped) {
			done.Reason = "stopped"
			break
		}
		if err != nil && done.Reason == "ok" {
			done.Reason, done.Text = "failed", "cannot play "+string(p.Kind)+":"+p.Value
			l.desk.log.Warn("prompt cannot be played", "call", l.call, "leg", l.id, "kind", p.Kind, "prompt", p.Value, "err", err)
		}
	}
	if done.Reason == "failed" && l.mail.stopped() {
		done.Reason, done.Text = "stopped", ""
	}
	if err := l.lease.shorten(); err != nil {
		return err
	}
	l.tell(done)
	l.mail.wait(agiPatience)
	return nil
}

// speak sets the language of the channel; "" is the one it came with.
func (l *agiLeg) speak(lang string) error {
	if lang == "" {
		lang = l.language
	}
	if lang == l.spoken {
		return nil
	}
	if err := l.session.SetVariable("CHANNEL(language)", lang); err != nil {
		return err
	}
	l.spoken = lang
	return nil
}

// say says one prompt; errStopped when a key or a StopPlay ended it.
func (l *agiLeg) say(p call.Prompt, barge string) error {
	switch p.Kind {
	case call.Number:
		n, err := strconv.ParseInt(p.Value, 10, 32)
		if err != nil {
			return err
		}
		return l.repeat(barge, func() (string, error) {
			if err := l.lease.cover(time.Duration(len(p.Value)) * 2 * time.Second); err != nil {
				return "", err
			}
			return l.session.SayNumber(int32(n), allKeys)
		})
	case call.Digits:
		// One by one, so that it can be stopped in between.
		for i := range len(p.Value) {
			if err := l.sayDigit(p.Value[i:i+1], barge); err != nil {
				return err
			}
		}
		return nil
	}
	return l.sound(p.Value, barge)
}

// sayDigit says one digit, star or hash. Asterisk's SAY DIGITS begins only with
// a digit.
func (l *agiLeg) sayDigit(digit, barge string) error {
	switch digit {
	case "*":
		return l.sound("digits/star", barge)
	case "#":
		return l.sound("digits/pound", barge)
	}
	return l.repeat(barge, func() (string, error) {
		if err := l.lease.cover(2 * time.Second); err != nil {
			return "", err
		}
		return l.session.SayDigits(digit, allKeys)
	})
}

// sayTries bounds how often a number is begun again because of keys that do
// not stop it.
const sayTries = 3

// repeat says something that cannot go on in the middle.
func (l *agiLeg) repeat(barge string, say func() (key string, err error)) error {
	for range sayTries {
		if l.mail.stopped() {
			return errStopped
		}
		key, err := say()
		if err != nil || key == "" {
			return err
		}
		if l.barged(key, barge) {
			return errStopped
		}
	}
	return nil
}

// sound plays a file.
func (l *agiLeg) sound(file, barge string) error {
	length, err := l.measure(file, barge)
	if err != nil {
		return err
	}
	if err := l.lease.cover(length); err != nil {
		return err
	}
	for position := 0; ; {
		if l.mail.stopped() {
			return errStopped
		}
		played, err := l.session.StreamFile(file, allKeys, position, length)
		switch {
		case err != nil:
			return err
		case played.Interrupted, played.Key != "" && l.barged(played.Key, barge):
			return errStopped
		case played.Key == "":
			return nil
		}
		position = played.Position
	}
}

// measure tells how long a file is in the language that the channel speaks.
func (l *agiLeg) measure(file, barge string) (time.Duration, error) {
	if length, ok := l.desk.lengths.get(l.spoken, file, l.desk.now()); ok {
		return length, nil
	}
	length, key, err := l.session.Length(file, allKeys)
	if err != nil {
		return 0, err
	}
	l.desk.lengths.put(l.spoken, file, length, l.desk.now().Add(lengthsKept))
	if key != "" && l.barged(key, barge) {
		return 0, errStopped
	}
	return length, nil
}

// barged tells a key, and whether it stops the Play.
func (l *agiLeg) barged(key, barge string) bool {
	l.pressed(key)
	return strings.Contains(barge, key)
}

// soundLengths remembers how long sound files are, for a while: by then a file
// may have been replaced.
type soundLengths struct {
	mu    sync.Mutex
	known map[[2]string]soundLength
}

type soundLength struct {
	length time.Duration
	until  time.Time
}

const (
	lengthsKept = time.Minute
	lengthsMost = 2000
)

func (s *soundLengths) get(language, file string, now time.Time) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.known[[2]string{language, file}]
	return known.length, ok && now.Before(known.until)
}

func (s *soundLengths) put(language, file string, length time.Duration, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= lengthsMost {
		s.known = map[[2]string]soundLength{}
	}
	s.known[[2]string{language, file}] = soundLength{length, until}
}
