package chain

// ordinals tells equal lines of one session apart: two equal lines in a minute
// can be two real calls. The ordinal of a line, with the line, is what a
// record is known by; a session that repeats lines counts them from one again.
type ordinals []ordinal

type ordinal struct {
	Minute int64  `json:"m"` // of the record's end
	Line   uint64 `json:"l"`
	N      uint16 `json:"n"`
}

const ordinalMinutes = 10 // equal lines come together

// next counts a line and returns its ordinal, from 1.
func (o *ordinals) next(minute int64, line uint64) uint16 {
	for i := len(*o) - 1; i >= 0; i-- {
		if it := &(*o)[i]; it.Line == line && it.Minute == minute {
			it.N++
			return it.N
		}
	}
	if n := len(*o); n >= 64 && n&(n-1) == 0 { // now and then
		o.prune(minute)
	}
	*o = append(*o, ordinal{minute, line, 1})
	return 1
}

func (o *ordinals) prune(minute int64) {
	kept := (*o)[:0]
	for _, it := range *o {
		if it.Minute >= minute-ordinalMinutes {
			kept = append(kept, it)
		}
	}
	*o = kept
}

// FNV-1a of 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// lineKey is the fingerprint of a line, blanks and echoed asterisks around it
// left out.
func lineKey(line []byte) uint64 {
	for len(line) > 0 && (line[0] == ' ' || line[0] == '*') {
		line = line[1:]
	}
	for len(line) > 0 && line[len(line)-1] == ' ' {
		line = line[:len(line)-1]
	}
	h := uint64(fnvOffset)
	for _, c := range line {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}

// recordKey joins a line's fingerprint and its ordinal.
func recordKey(line uint64, n uint16) uint64 {
	return (line ^ uint64(n)*0x9e3779b97f4a7c15) * fnvPrime
}
