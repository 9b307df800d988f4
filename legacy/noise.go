package legacy

// noise counts bytes that no device prints, and what they would be on a line
// that is set otherwise.
type noise struct {
	bytes uint64
	odd   uint64 // above ASCII, or control characters other than line ends
	text7 uint64 // of all: text, if the eighth bit means nothing
	even  uint64 // of all: the number of ones is even
	high  uint64 // of all: the eighth bit is set
}

func (n *noise) add(b []byte) {
	n.bytes += uint64(len(b))
	for _, c := range b {
		if !printed(c) {
			n.odd++
		}
		if printed(c & 0x7f) {
			n.text7++
		}
		if ones(c)%2 == 0 {
			n.even++
		}
		n.high += uint64(c >> 7)
	}
}

func printed(c byte) bool {
	return c >= 0x20 && c < 0x7f || c == '\r' || c == '\n' || c == '\t' || c == 0 || c == '\f'
}

func ones(c byte) (n int) {
	for ; c != 0; c &= c - 1 {
		n++
	}
	return n
}

// Of this many bytes a judgement can be made; of these parts of them it is
// certain.
const (
	noiseLeast = 60
	oddShare   = 0.3
	nearlyAll  = 0.97
)

// judge says in plain words how a line seems to be set wrongly; "" if it does
// not. A line of seven bits and a parity that is read as eight bits without
// one gives text whose eighth bit is that parity. A wrong speed gives nothing
// of the kind.
func (n *noise) judge() string {
	share := func(part uint64) float64 { return float64(part) / float64(n.bytes) }
	switch {
	case n.bytes < noiseLeast || share(n.odd) < oddShare:
		return ""
	case share(n.text7) < nearlyAll:
		return "most of what comes is no text: the speed is wrong, or else bits and parity; try the other speeds first"
	case share(n.high) > nearlyAll:
		return "the eighth bit of what comes is always set: the parity is wrong; set bits: 7, parity: mark"
	case share(n.even) > nearlyAll:
		return "the eighth bit of what comes is an even parity: set bits: 7, parity: even"
	case share(n.even) < 1-nearlyAll:
		return "the eighth bit of what comes is an odd parity: set bits: 7, parity: odd"
	}
	return "what comes is text but for its eighth bit: the parity is wrong; set bits: 7 and try parity: even and odd"
}
