// Package cause says what the codes mean with which calls end: SIP status
// codes, ITU-T Q.850 causes, and the texts that providers send with a code and
// that change its meaning. It gives keys of the catalogue, who has to act, and
// with what advice; it holds no sentences and decides nothing about calls.
package cause

import (
	_ "embed"
	"strconv"
	"strings"
	"unicode"

	"markaz/call"
)

//go:embed table.txt
var table string

// Actor is who has to do something; "" is nobody.
type Actor string

// Who can have to act.
const (
	Caller        Actor = "caller"
	Administrator Actor = "administrator"
	PBX           Actor = "pbx"
	Provider      Actor = "provider"
	Accounts      Actor = "accounts" // the department that pays the bills
)

// Meaning is what a code means, by keys of the catalogue. The meaning may hold
// the placeholder {code}.
type Meaning struct {
	Key    string // of the meaning
	Code   int    // for {code}
	Actor  Actor
	Advice string // key, "" if there is nothing to do
	Money  bool   // the account is empty: an alarm of its own
}

// ActorKey is the key of who has to act, "" if nobody has.
func (m Meaning) ActorKey() string {
	if m.Actor == "" {
		return ""
	}
	return "cause.actor." + string(m.Actor)
}

// Table holds the meanings. It never changes.
type Table struct {
	codes map[string]Meaning // by "sip.486", "q850.17"
	texts []text
}

// text is a phrase of providers.
type text struct {
	codes   []string // SIP codes that it belongs to; none: all
	phrases []string
	meaning Meaning
}

// New reads the embedded table.
func New() *Table {
	t := &Table{codes: map[string]Meaning{}}
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 6 || strings.HasPrefix(line, "#") {
			continue
		}
		m := Meaning{Key: "cause." + f[0] + "." + f[1], Money: f[1] == "no_money" || f[1] == "402"}
		if f[3] != "-" {
			m.Actor = Actor(f[3])
		}
		if f[4] != "-" {
			m.Advice = "cause.advice." + f[4]
		}
		if f[0] != "text" {
			t.codes[f[0]+"."+f[1]] = m
			continue
		}
		x := text{phrases: strings.Split(f[5], ";"), meaning: m}
		if f[2] != "*" {
			x.codes = strings.Split(f[2], ",")
		}
		t.texts = append(t.texts, x)
	}
	return t
}

// Of says what an end means by its SIP status, its Q.850 cause and the text
// that came with them; any of them may be missing. A provider's text counts
// first. Where the SIP status is no more than what the cause maps to, the cause
// is the finer of the two.
func (t *Table) Of(sip, q850 int, phrase string) Meaning {
	if m, ok := t.text(sip, phrase); ok {
		return m
	}
	bySIP, okSIP := t.codes["sip."+strconv.Itoa(sip)]
	byCause, okCause := t.codes["q850."+strconv.Itoa(q850)]
	bySIP.Code, byCause.Code = sip, q850
	coarse := sip == 0 || sip == call.SIPOf(q850) && sip != 403
	switch {
	case okCause && coarse:
		return byCause
	case okSIP:
		return bySIP
	case sip != 0:
		return Meaning{Key: "cause.unknown.sip", Code: sip, Actor: family(sip)}
	case okCause:
		return byCause
	case q850 != 0:
		return Meaning{Key: "cause.unknown.q850", Code: q850}
	}
	return Meaning{Key: "cause.none"}
}

// family says who has to act by the class of an unknown SIP status (RFC 3261
// section 21).
func family(sip int) Actor {
	switch sip / 100 {
	case 4:
		return Administrator
	case 5:
		return Provider
	case 6:
		return Caller
	}
	return ""
}

func (t *Table) text(sip int, phrase string) (Meaning, bool) {
	if phrase == "" || sip != 0 && sip < 300 {
		return Meaning{}, false
	}
	said := plain(phrase)
	for _, x := range t.texts {
		if !x.belongs(sip) {
			continue
		}
		for _, p := range x.phrases {
			if strings.Contains(said, " "+p+" ") {
				m := x.meaning
				m.Code = sip
				return m, true
			}
		}
	}
	return Meaning{}, false
}

func (x text) belongs(sip int) bool {
	if len(x.codes) == 0 {
		return true
	}
	for _, c := range x.codes {
		if c == strconv.Itoa(sip) {
			return true
		}
	}
	return false
}

// phraseMost bounds how much of a text from outside is looked at.
const phraseMost = 200

// plain makes words of a text: small letters and digits with one blank around
// each word.
func plain(s string) string {
	if len(s) > phraseMost {
		s = s[:phraseMost]
	}
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return " " + strings.Join(words, " ") + " "
}
