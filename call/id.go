package call

import "time"

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID makes a time-ordered id of 26 letters and digits (the ULID form: 48
// bits of milliseconds, 80 bits of chance) from a time and random bytes that
// the caller provides.
func NewID(at time.Time, chance [10]byte) string {
	var raw [16]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		raw[i] = byte(ms >> (40 - 8*i))
	}
	copy(raw[6:], chance[:])

	var out [26]byte
	bits, have := uint32(0), 2 // 26 letters hold 130 bits: two leading zeros
	n := 0
	for _, b := range raw {
		bits = bits<<8 | uint32(b)
		have += 8
		for have >= 5 {
			have -= 5
			out[n] = crockford[bits>>have&31]
			n++
		}
	}
	return string(out[:])
}

// TimeOf returns the millisecond an id was made at; false if it is not one of
// ours.
func TimeOf(id string) (time.Time, bool) {
	if len(id) != 26 {
		return time.Time{}, false
	}
	var ms int64
	for i := range 10 {
		v := indexOf(id[i])
		if v < 0 {
			return time.Time{}, false
		}
		ms = ms<<5 | int64(v)
	}
	return time.UnixMilli(ms).UTC(), true
}

func indexOf(c byte) int {
	for i := range len(crockford) {
		if crockford[i] == c {
			return i
		}
	}
	return -1
}
