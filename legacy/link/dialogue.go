package link

import (
	"bytes"
	"errors"
	"time"
)

// errDoubtful says that the connection ended while a log-in was under way:
// perhaps a refusal without words, perhaps a cable.
var errDoubtful = errors.New("connection ended during log-in")

// dialogue is our side of the log-in (KX-NS700 feature guide p. 269 names the
// user; the prompts are as clients in the field have met them). It answers the
// prompts when they come, and answers blind when they do not.
type dialogue struct {
	login Login
	state talkState
	tail  []byte // the end of what was heard in this state, without telnet options
}

type talkState uint8

const (
	wantUser talkState = iota
	wantPassword
	answered // both given; not refused so far
	open
)

// How long silence lasts before it is taken for a prompt, or for consent.
const (
	promptSilence  = 3 * time.Second
	consentSilence = 10 * time.Second
)

func newDialogue(login Login) *dialogue {
	d := &dialogue{login: login}
	if login.User == "" {
		d.state = open
	}
	return d
}

// deadline is until when to wait for the next byte; the zero time is for ever.
func (d *dialogue) deadline(now time.Time) time.Time {
	switch d.state {
	case wantUser, wantPassword:
		return now.Add(promptSilence)
	case answered:
		return now.Add(consentSilence)
	}
	return time.Time{}
}

// doubtful reports whether an end of the connection now may be a refusal.
func (d *dialogue) doubtful() bool { return d.state == wantPassword || d.state == answered }

// heard takes what the device said and returns what to answer, if anything.
func (d *dialogue) heard(b []byte) (answer string, err error) {
	if d.state == open {
		return "", nil
	}
	d.listen(b)
	if record(d.tail) {
		d.state = open
		return "", nil
	}
	switch {
	case d.said("rejected") && d.state == wantUser:
		return "", ErrBusy
	case d.said("rejected"), d.said("incorrect"), d.said("invalid"), d.said("denied"), d.said("failed"):
		return "", ErrRefused
	}
	switch d.state {
	case wantUser:
		if d.endsWith('-', ':', '>', '?') {
			return d.giveUser(), nil
		}
	case wantPassword:
		if d.said("pass") && d.endsWith(':', '?', 'd', 'e') {
			return d.givePassword(), nil
		}
	case answered:
		if d.said("enter password") || d.said("login:") {
			return "", ErrRefused
		}
	}
	return "", nil
}

// silence takes that nothing was said for a while.
func (d *dialogue) silence() string {
	switch d.state {
	case wantUser:
		return d.giveUser()
	case wantPassword:
		return d.givePassword()
	}
	d.state = open
	return ""
}

func (d *dialogue) giveUser() string {
	d.state, d.tail = wantPassword, d.tail[:0]
	return d.login.User
}

func (d *dialogue) givePassword() string {
	d.state, d.tail = answered, d.tail[:0]
	return d.login.Password
}

// listen keeps the end of what is said, without telnet options (RFC 854), NUL
// and line ends.
func (d *dialogue) listen(b []byte) {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == 0xff && i+2 < len(b) && b[i+1] >= 0xfb && b[i+1] < 0xff:
			i += 2
		case c >= 0x20 && c < 0x7f:
			d.tail = append(d.tail, c)
		}
	}
	if n := len(d.tail); n > 256 {
		d.tail = append(d.tail[:0], d.tail[n-256:]...)
	}
}

func (d *dialogue) said(words string) bool {
	return bytes.Contains(bytes.ToLower(d.tail), []byte(words))
}

func (d *dialogue) endsWith(ends ...byte) bool {
	t := bytes.TrimRight(d.tail, " ")
	return len(t) > 0 && bytes.IndexByte(ends, t[len(t)-1]) >= 0
}

// record reports whether text holds a date and the beginning of a time: the
// device has begun to print.
func record(t []byte) bool {
	digit := func(i int) bool { return t[i] >= '0' && t[i] <= '9' }
	for i := 0; i+9 < len(t); i++ {
		if digit(i) && t[i+1] == '/' && t[i+4] == '/' && digit(i+6) && t[i+7] == ' ' {
			return true
		}
	}
	return false
}
