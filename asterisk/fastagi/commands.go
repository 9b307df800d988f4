package fastagi

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/CyCoreSystems/agi"
)

// Answer picks the channel up. It takes half a second when the caller's phone
// sends no sound.
func (s *Session) Answer() error {
	a, err := s.send(command(s.buf, "ANSWER"), time.Second)
	return s.check(a, err, "answer")
}

// Hangup ends the call.
func (s *Session) Hangup() error {
	a, err := s.send(command(s.buf, "HANGUP"), 0)
	return s.check(a, err, "hang up")
}

// Noop does nothing, which shows that the session lives.
func (s *Session) Noop() error {
	a, err := s.send(command(s.buf, "NOOP"), 0)
	return s.check(a, err, "noop")
}

// ChannelStatus returns the state of the channel.
func (s *Session) ChannelStatus() (agi.State, error) {
	a, err := s.send(command(s.buf, "CHANNEL STATUS"), 0)
	if err != nil {
		return agi.StateDown, err
	}
	return agi.State(a.result), nil
}

// Played tells how a StreamFile ended: by itself, by a key among those asked
// for, or by Interrupt.
type Played struct {
	Key         string // "" if none
	Position    int    // samples from the beginning of the file; 0 if interrupted
	Interrupted bool
}

// StreamFile plays a sound file, without extension, from a position on until
// its end, one of keys is pressed, or Interrupt. A file that is missing, and a
// file that cannot be played, are ErrFailed. length is how long it takes at
// most; 0 if unknown.
func (s *Session) StreamFile(file, keys string, position int, length time.Duration) (Played, error) {
	if length == 0 {
		length = time.Until(s.wire.last)
	}
	l := command(s.buf, "STREAM FILE").arg(file).arg(keys).num(int64(position))
	a, err := s.sendAs(l, length, true)
	if err != nil {
		return Played{}, err
	}
	if a.stopped {
		return Played{Interrupted: true}, nil
	}
	position, errPosition := s.position(a)
	key, err := s.key(a, "stream file")
	if err == nil {
		err = errPosition
	}
	return Played{Key: key, Position: position}, err
}

func (s *Session) position(a answer) (int, error) {
	n, err := strconv.Atoi(string(bytes.TrimPrefix(a.text, []byte("endpos="))))
	if err != nil {
		return 0, s.end(fmt.Errorf("%w: position %.40q", ErrProtocol, a.text))
	}
	return n, nil
}

// beyond is a position behind the end of any sound file.
const beyond = 1 << 30

// Length tells how long a sound file is, by playing it from behind its end,
// which takes no time and makes no sound. Even so one of keys may be pressed
// just then. Asterisk counts samples; for a file of more than 8000 a second the
// answer is as much too long.
func (s *Session) Length(file, keys string) (length time.Duration, key string, err error) {
	a, err := s.send(command(s.buf, "STREAM FILE").arg(file).arg(keys).num(beyond), 0)
	if err != nil {
		return 0, "", err
	}
	samples, err := s.position(a)
	if err != nil {
		return 0, "", err
	}
	key, err = s.key(a, "measure file")
	return time.Duration(samples) * time.Second / 8000, key, err
}

// SayNumber says a number in the channel's language until it is said or one
// of keys is pressed, which is returned. Interrupt does not stop it.
func (s *Session) SayNumber(number int32, keys string) (key string, err error) {
	return s.say(command(s.buf, "SAY NUMBER").num(int64(number)).arg(keys), 20*time.Second, "say number")
}

// SayDigits says digits one by one until they are said or one of keys is
// pressed, which is returned. Interrupt does not stop it.
func (s *Session) SayDigits(digits, keys string) (key string, err error) {
	if strings.Trim(digits, "0123456789") != "" || digits == "" {
		return "", fmt.Errorf("%w: %.40q is not digits", ErrArgument, digits)
	}
	within := time.Duration(len(digits)) * 2 * time.Second
	return s.say(command(s.buf, "SAY DIGITS").arg(digits).arg(keys), within, "say digits")
}

func (s *Session) say(l line, within time.Duration, what string) (string, error) {
	a, err := s.send(l, within)
	if err != nil {
		return "", err
	}
	return s.key(a, what)
}

// WaitForDigit waits for a key; "" when none came in time.
func (s *Session) WaitForDigit(timeout time.Duration) (key string, err error) {
	a, err := s.send(command(s.buf, "WAIT FOR DIGIT").num(timeout.Milliseconds()), timeout)
	if err != nil {
		return "", err
	}
	return s.key(a, "wait for digit")
}

// SetMusic starts music on hold of a class, "" for the default, or stops it.
func (s *Session) SetMusic(on bool, class string) error {
	l := command(s.buf, "SET MUSIC OFF")
	if on {
		l = command(s.buf, "SET MUSIC ON")
	}
	if on && class != "" {
		l = l.arg(class)
	}
	a, err := s.send(l, 0)
	return s.check(a, err, "set music")
}

// SetVariable sets a channel variable, or a dialplan function such as
// TIMEOUT(absolute).
func (s *Session) SetVariable(name, value string) error {
	if !variable(name) {
		return fmt.Errorf("%w: variable name %.40q", ErrArgument, name)
	}
	a, err := s.send(command(s.buf, "SET VARIABLE "+name).arg(value), 0)
	return s.check(a, err, "set variable")
}

// shortVariable is what GET VARIABLE cuts a value down to (1024 bytes with the
// NUL in res_agi.c); GET FULL VARIABLE does not, but cannot tell unset from
// empty.
const shortVariable = 1023

// GetVariable reads one variable exactly; false if it is not set. A value with
// a line break ends the session, since it cannot be told from a forged answer.
func (s *Session) GetVariable(name string) (value string, ok bool, err error) {
	if !variable(name) {
		return "", false, fmt.Errorf("%w: variable name %.40q", ErrArgument, name)
	}
	a, err := s.send(command(s.buf, "GET VARIABLE "+name), 0)
	if err == nil && len(a.text) >= shortVariable {
		a, err = s.send(command(s.buf, "GET FULL VARIABLE ${"+name+"}"), 0)
	}
	if err != nil {
		return "", false, err
	}
	return string(a.text), a.result == 1, nil
}

// GetVariables reads several variables in one round trip; those not set are
// "". The answer carries a number used once, which shows that it is the answer
// to this very command and no line that a caller smuggled into the header.
// Values may hold any byte. But Asterisk takes a closing bracket that was never
// opened, followed by a colon, for the end of the variable's name, and cuts
// such a value short: for texts that callers choose use GetVariable.
func (s *Session) GetVariables(names ...string) ([]string, error) {
	once := nonce()
	var ask strings.Builder
	ask.WriteString(once)
	for _, name := range names {
		if !variable(name) {
			return nil, fmt.Errorf("%w: variable name %.40q", ErrArgument, name)
		}
		ask.WriteString("|${URIENCODE(${" + name + "})}")
	}
	a, err := s.send(command(s.buf, "GET FULL VARIABLE").arg(ask.String()), 0)
	if err != nil {
		return nil, err
	}
	values := strings.Split(string(a.text), "|")
	if values[0] != once || len(values) != len(names)+1 {
		return nil, s.end(fmt.Errorf("%w: not the answer to our question: %.60q", ErrProtocol, a.text))
	}
	for i, v := range values[1:] {
		if values[i+1], err = url.PathUnescape(v); err != nil {
			return nil, s.end(fmt.Errorf("%w: %w", ErrProtocol, err))
		}
	}
	return values[1:], nil
}

// Exec runs a dialplan application for at most the given time.
func (s *Session) Exec(app, args string, within time.Duration) error {
	if !variable(app) {
		return fmt.Errorf("%w: application %.40q", ErrArgument, app)
	}
	a, err := s.send(command(s.buf, "EXEC "+app).arg(args), within)
	if err == nil && a.result == -2 {
		return fmt.Errorf("exec %s: %w", app, ErrNoApp)
	}
	return s.check(a, err, "exec "+app)
}

// Verbose writes to Asterisk's console and log.
func (s *Session) Verbose(text string, level int) error {
	a, err := s.send(command(s.buf, "VERBOSE").arg(text).num(int64(level)), 0)
	return s.check(a, err, "verbose")
}
