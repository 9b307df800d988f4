package ivr

import "time"

// maxDoors is how many closed doors one call is led past; a configuration
// without error has no circle of them.
const maxDoors = 10

// Way is where a call goes: a destination, and what is known on the way there.
type Way struct {
	To     Destination
	Lang   string // "" for the default language
	Closed bool   // To is where the call goes because its destination is closed
}

// Route tells where a call goes that was dialled to a number, or came in by
// one, at a moment. Either may be "". Ok is false if no route fits.
func (b *Book) Route(to, did string, at time.Time) (way Way, ok bool) {
	for _, r := range b.routes {
		if r.every || to != "" && r.number.match(to) || did != "" && r.number.match(did) {
			dest, closed := b.open(r.door, at)
			return Way{To: dest, Lang: b.language(r.language), Closed: closed}, true
		}
	}
	return Way{}, false
}

// open tells where a door leads at a moment, and whether it, or a menu behind
// it, is closed.
func (b *Book) open(d door, at time.Time) (to Destination, closed bool) {
	for range maxDoors {
		if d.hours != nil && !d.hours.Open(at) {
			d, closed = door{to: d.closed}, true
			continue
		}
		m := b.menus[d.to.Target()]
		if d.to.Kind() != ToMenu || m == nil || m.hours == nil || m.hours.Open(at) {
			return d.to, closed
		}
		d, closed = door{to: m.closed}, true
	}
	return Hangup, true
}
