package ivr

import "strings"

// Destination says where a call goes, as it is written in the configuration:
// a kind, and for most kinds a colon and a name or number.
type Destination string

// Hangup ends the call.
const Hangup Destination = "hangup"

// Back leads from a message to the menu in which it was chosen.
const Back Destination = "back"

// Kind says what a destination is.
type Kind string

// The kinds of destination. ToMenu and ToMessage are served by this package;
// the others end the stay in it.
const (
	ToMenu      Kind = "menu"
	ToMessage   Kind = "message"
	ToQueue     Kind = "queue"
	ToExtension Kind = "extension"
	ToExternal  Kind = "external"
	ToHangup    Kind = "hangup"

	toBack      Kind = "back"
	toVoicemail Kind = "voicemail" // known, to be refused clearly
)

// Kind is the part before the colon.
func (d Destination) Kind() Kind {
	kind, _, _ := strings.Cut(string(d), ":")
	return Kind(kind)
}

// Target is the part after the colon.
func (d Destination) Target() string {
	_, target, _ := strings.Cut(string(d), ":")
	return target
}

// ours reports whether this package serves the destination itself.
func (d Destination) ours() bool { return d.Kind() == ToMenu || d.Kind() == ToMessage }

// person reports whether somebody answers there.
func (d Destination) person() bool {
	switch d.Kind() {
	case ToQueue, ToExtension, ToExternal:
		return true
	}
	return false
}

func destination(kind Kind, target string) Destination {
	return Destination(string(kind) + ":" + target)
}
