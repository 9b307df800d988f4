package fastagi

import (
	"bytes"
	"fmt"
	"strconv"
)

// Statuses of an answer (res_agi.c, agi_handle_command).
const (
	statusOK      = 200
	statusInvalid = 510
	statusDead    = 511
	statusUsage   = 520
)

// answer is what Asterisk says to one command.
type answer struct {
	status  int
	result  int    // what follows "result=", with statusOK
	text    []byte // what follows that, or the text of a refusal; good until the next command
	stopped bool   // the command was interrupted, and so has no result
}

// answer reads lines until the command is answered, and so is the last mark if
// any was sent.
func (w *wire) answer() (answer, error) {
	var own answer
	for {
		ln, err := w.line()
		if err != nil {
			return answer{}, err
		}
		if string(ln) == "HANGUP" {
			w.hung = true
			continue
		}
		mark, isMark := markOf(ln)
		switch {
		case isMark:
			if err := w.marked(mark); err != nil {
				return answer{}, err
			}
			if own.status == 0 && w.settled() {
				own = answer{status: statusOK, stopped: true}
			}
		case own.status != 0:
			return answer{}, fmt.Errorf("%w: a second answer: %.60q", ErrProtocol, ln)
		default:
			if own, err = w.read(ln); err != nil {
				return answer{}, err
			}
		}
		if w.settled() {
			return own, nil
		}
		own.text = bytes.Clone(own.text) // more lines come
	}
}

// read takes an answer apart; a usage text is several lines.
func (w *wire) read(ln []byte) (answer, error) {
	first, more, err := parseAnswer(ln)
	if err != nil || !more {
		return first, err
	}
	first.text = bytes.Clone(first.text)
	for {
		ln, err := w.line()
		if err != nil {
			return answer{}, err
		}
		if bytes.HasPrefix(ln, []byte("520 ")) {
			return first, nil
		}
		if len(first.text) > maxAnswer {
			return answer{}, fmt.Errorf("%w: endless usage text", ErrProtocol)
		}
		first.text = append(append(first.text, ' '), bytes.TrimSpace(ln)...)
	}
}

// parseAnswer reads the first line of an answer; more says that others belong
// to it, up to one that begins with the same status and a blank.
func parseAnswer(ln []byte) (a answer, more bool, err error) {
	if result, ok := bytes.CutPrefix(ln, []byte("200 result=")); ok {
		number, text, _ := bytes.Cut(result, []byte{' '})
		n, err := strconv.Atoi(string(number))
		if err != nil {
			return answer{}, false, fmt.Errorf("%w: %.60q", ErrProtocol, ln)
		}
		return answer{status: statusOK, result: n, text: bare(text)}, false, nil
	}
	for _, status := range [...]int{statusInvalid, statusDead, statusUsage} {
		if len(ln) > 4 && string(ln[:3]) == strconv.Itoa(status) && (ln[3] == ' ' || ln[3] == '-' && status == statusUsage) {
			return answer{status: status, text: ln[4:]}, ln[3] == '-', nil
		}
	}
	return answer{}, false, fmt.Errorf("%w: %.60q", ErrProtocol, ln)
}

// bare takes the brackets off a value.
func bare(text []byte) []byte {
	if n := len(text); n >= 2 && text[0] == '(' && text[n-1] == ')' {
		return text[1 : n-1]
	}
	return text
}
