package observe

import (
	"regexp"
	"strings"
	"time"

	"markaz/call"
)

// sort is what a channel is.
type sort int

const (
	other sort = iota // made for sound, or by Asterisk for itself: no party
	phone
	trunk
	local // one half of a Local channel: never a party, but it joins parties
)

// channel is what is known of a channel of Asterisk.
type channel struct {
	id, name string
	sort     sort
	address  string // of a phone: its extension; of a trunk: the number on its other side
	display  string // the caller's name
	trunk    string
	pair     string // of a local: the name that both halves share

	created time.Time
	calls   bool // it came by itself: somebody calls
	up      bool
	context string
	exten   string
	entered string // the number that was dialled to get here
	app     string
	data    string

	conv    *conv
	leg     *leg     // of a party
	bridge  *bridge  // it is in
	twin    *channel // the other half of a local
	by      *channel // who dials it
	made    bool     // a program has it dialled
	status  string   // how dialling it ended
	hungUp  bool     // by its own side
	cause   int      // Q.850, of the request to hang up
	sip     int
	passed  bool     // it transferred its call to somebody
	tape    string   // the recording that runs on it
	mailbox *mailbox // it is in

	restored bool // from the record of its call; its name is not known yet
}

// technologies that are no telephone: sound that Asterisk or a program plays,
// records or hears, and stand-ins for channels that change their place.
const noTelephone = `^(Announcer|Recorder|Snoop|UnicastRTP|MulticastRTP|WebSocket|AudioSocket|CBAnn|CBRec|ConfBridgeRecorder|ConfBridgeAnnouncer|Bridge|Surrogate|AsyncGoto|Message|Parking|Playback|TestChannel|Transcode|OutgoingSpoolFailed|Null)$`

// names reads channel names.
type names struct {
	patterns
	none *regexp.Regexp
}

// identify tells what a channel is from its name, such as PJSIP/101-0000002a.
func (n *names) identify(c *channel, name string) {
	c.name = name
	tech, rest, _ := strings.Cut(name, "/")
	switch {
	case tech == "Local":
		c.sort = local
		c.pair, _, _ = strings.Cut(rest, ";")
		return
	case n.none.MatchString(tech) || strings.HasSuffix(name, "<ZOMBIE>"):
		c.sort = other
		return
	}
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		rest = rest[:i]
	}
	peer := tech + "/" + rest
	c.sort, c.trunk = trunk, rest
	if matches(n.trunks, peer) {
		return
	}
	if m := n.extension.FindStringSubmatch(peer); m != nil {
		c.sort, c.trunk, c.address = phone, "", m[len(m)-1]
	}
}

// party reports whether somebody can be at this channel.
func (c *channel) party() bool { return c.sort == phone || c.sort == trunk }

// role is what a leg is that was dialled, or carried into another call.
func (m *Machine) role(c *channel) call.Role {
	switch {
	case m.pseudo(c.address, c.context):
		return call.RoleGroup
	case c.sort == trunk:
		return call.RoleExternal
	}
	return call.RoleAgent
}

// pseudo reports whether an extension is no person.
func (m *Machine) pseudo(exten, context string) bool {
	return exten != "" && (matches(m.names.groups, exten) || matches(m.names.groups, exten+"@"+context))
}

// dialled reads the number out of a dial string: 0911@trunk, trunk/0911,
// PJSIP/0911@trunk, trunk/sip:0911@host.
func dialled(text, trunk string) string {
	if _, after, ok := strings.Cut(text, "sip:"); ok {
		text = after
	}
	text, _, _ = strings.Cut(text, "@")
	parts := strings.Split(text, "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if p := parts[i]; p != trunk && strings.ContainsAny(p, "0123456789") {
			return call.Clean(p, 64)
		}
	}
	return ""
}
