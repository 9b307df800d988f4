package chain

import (
	"slices"
	"strconv"
	"time"

	"markaz/call"
	"markaz/legacy/smdr"
)

// record is a printed record in the house's words: times in UTC, the number
// read, the extension's role known.
type record struct {
	kind      smdr.Kind
	dir       call.Direction
	role      call.Role
	ext       string
	trunk     string
	lane      string // what the records of one call have in common: the line, else the number
	number    string
	raw       string
	e164      string
	name, did string
	cond      string
	account   string
	charge    string
	text      string

	// By the exchange's clock as printed, and as it is to be told: corrected,
	// and refined by the time of arrival.
	printedStart, printedEnd time.Time
	start, answer, end       time.Time
	ring, talk               time.Duration
	talkKnown                bool
	grain                    int64

	missed      bool
	transferred bool
	hidden      bool
	live        bool
	key         uint64
}

// refined is how well a time of arrival is known to tell the end, once the
// error of the exchange's clock is: the rest is the exchange's own delay.
const (
	printedGrain = 60_000 // ms: minutes are printed
	refinedGrain = 5_000
)

func (m *Machine) read(r *smdr.Record, moment time.Time, live bool, key uint64) record {
	rec := record{
		kind: r.Kind, dir: r.Direction, trunk: string(r.Trunk), did: string(r.DID), cond: string(r.Condition),
		account: string(r.Account), charge: string(r.Charge), live: live, key: key,
		ring: time.Duration(max(r.Ring, 0)) * time.Second, talk: time.Duration(max(r.Duration, 0)) * time.Second,
		talkKnown: r.Duration != smdr.NotPrinted, missed: r.Missed == smdr.Yes,
		transferred: r.Transferred, hidden: r.Hidden, grain: printedGrain, raw: string(r.Number),
	}
	rec.role, rec.ext = m.roleOf(r)
	rec.name, rec.text = m.text(r.Name), m.text(r.Text)
	n := m.caller(rec.raw)
	if r.Direction == call.Outbound {
		n = m.dialled(rec.raw)
	}
	rec.number, rec.e164 = n.Shown, n.E164
	if r.Hidden || r.Direction == call.Internal {
		rec.e164 = ""
	}
	rec.lane = lane(rec.trunk, rec.number)
	rec.printedEnd, rec.printedStart = moment, moment.Add(-rec.ring-rec.talk)
	m.tell(&rec)
	m.count(&rec)
	return rec
}

// tell sets the times that are told.
func (m *Machine) tell(rec *record) {
	skew, known := m.st.Skew.Measured()
	rec.end = rec.printedEnd
	if rec.live {
		// We know the second, the exchange the minute.
		second := m.at.Add(-skew).Sub(rec.printedEnd)
		rec.end = rec.end.Add(min(max(second, 0), 59*time.Second).Truncate(time.Millisecond))
		if known && len(m.st.Skew.Window) >= 20 {
			rec.grain = refinedGrain
		}
	}
	if m.cfg.Correct && known {
		rec.end = rec.end.Add(skew)
	}
	rec.answer = rec.end.Add(-rec.talk)
	rec.start = rec.answer.Add(-rec.ring)
}

func (m *Machine) count(rec *record) {
	switch {
	case rec.kind == smdr.KindRing:
		m.st.Rings++
	case rec.kind == smdr.KindAnswer:
		m.st.Answers++
	case rec.kind == smdr.KindCall && rec.dir == call.Inbound:
		m.st.Calls++
	}
	if rec.dir == call.Inbound && rec.number != "" {
		m.st.Callers++
	}
}

// text decodes and cleans a text of the exchange.
func (m *Machine) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return call.Clean(m.cfg.Text(b), 64)
}

// lane names what the records of one call share. Trunk numbers are compared as
// numbers: 01, 0001 and 1 are one line. Where the trunk is not told, it is the
// other party's number.
func lane(trunk, number string) string {
	if n, err := strconv.Atoi(trunk); err == nil {
		return "t" + strconv.Itoa(n)
	}
	if trunk != "" {
		return "t" + trunk
	}
	return "n" + number
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
