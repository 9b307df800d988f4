package chain

import (
	"slices"
	"time"

	"markaz/call"
	"markaz/call/number"
	"markaz/legacy/smdr"
)

// Config is what a machine must know of its exchange.
type Config struct {
	Source string
	Zone   *time.Location // of the exchange's clock
	Number *number.Reader
	Text   func([]byte) string // decodes the exchange's character set

	DISA      []string // extensions that are lines of the DISA or voice mail, never a person
	Groups    []string // extensions that are ring groups, never a person
	Emergency []string // numbers whose calls the exchange logs twice
	Caps      []call.Cap

	// Replays says that a new session may bring lines of the one before again,
	// as TCP does; a serial line never does.
	Replays bool
	// Late says that all records are old, such as those of an imported file.
	Late bool
	// Correct adds the measured error of the exchange's clock to its times.
	Correct bool

	// RingHold is how long a call that rang is waited for before it counts as
	// missed; LegHold, how long after a leg of a DISA line or a group the leg of
	// a person is waited for: it is printed only when that person hangs up.
	RingHold, LegHold time.Duration
}

// The usual patience.
const (
	DefaultRingHold = 10 * time.Minute
	DefaultLegHold  = 30 * time.Minute

	talkHold = 24 * time.Hour // for the end of a call that somebody answered
)

// DefaultEmergency lists emergency numbers of Iran, Russia and the European
// Union.
func DefaultEmergency() []string {
	return []string{"110", "112", "115", "125", "101", "102", "103", "104", "911"}
}

// Seen remembers which records have been taken, for ever.
type Seen interface {
	Has(minute int64, key uint64) bool
	Add(minute int64, key uint64)
}

// roleOf says who stands at an extension. extension is the one to show.
func (m *Machine) roleOf(r *smdr.Record) (role call.Role, extension string) {
	ext := string(r.Ext)
	switch {
	case r.Waiting:
		return call.RoleQueue, ext
	case string(r.Condition) == "D0" && r.Direction == call.Inbound:
		m.st.DISA[ext] = true // told once is known for ever
		return call.RoleIVR, ext
	case string(r.Condition) == "FW" && r.Direction == call.Inbound:
		return call.RoleGroup, ext // passed on to a trunk: somebody outside talked
	case slices.Contains(m.cfg.Groups, ext):
		return call.RoleGroup, ext
	case slices.Contains(m.cfg.DISA, ext) || m.st.DISA[ext]:
		return call.RoleIVR, ext
	case r.StartTime && len(ext) > 1 && ext[len(ext)-1] == 'B':
		return call.RoleVoicemail, ext[:len(ext)-1] // 103B: the built-in voice message answered for 103
	}
	return call.RoleAgent, ext
}
