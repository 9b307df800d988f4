package observe

import (
	"fmt"
	"strings"

	"markaz/call"
)

// cut parts the name of a Local channel, 101@from-internal-0000000c, at @.
func cut(pair string) (exten, context string, ok bool) { return strings.Cut(pair, "@") }

// mailbox is a stay in a voice mailbox.
type mailbox struct {
	leg, box string
	file     string // the message
}

// runs is a channel that begins to run an application of the dialplan. A
// transfer repeats the old one under the new extension: that is no beginning.
func (m *Machine) runs(c *channel, msg *message) {
	c.context, c.exten = msg.Channel.Dialplan.Context, msg.Channel.Dialplan.Exten
	if msg.App == c.app && msg.AppData == c.data {
		return
	}
	m.givenBack(c)
	before := c.app
	c.app, c.data = msg.App, msg.AppData
	if strings.HasPrefix(msg.App, "AppDial") || msg.App == "AppQueue" {
		return // it is being dialled
	}
	if c.conv == nil && c.party() {
		c.calls = true
		m.begin(c)
	}
	v := c.conv
	if v == nil {
		return
	}
	if (c.made || c.twin != nil && c.twin.made) && !v.started {
		m.startOwn(v, digitsOf(c.exten))
	}
	m.walk(c, v, before)
}

// walk follows the way of a call through the dialplan.
func (m *Machine) walk(c *channel, v *conv, before string) {
	if c.mailbox != nil && before == "VoiceMail" {
		m.leaveMailbox(c)
	}
	if v.queue != nil && v.queue.channel == c && !v.queue.left {
		m.leaveQueue(v, "exit") // a time-out has been told by QUEUESTATUS
	}
	m.walkMenu(c, v)
	switch c.app {
	case "Queue":
		m.enterQueue(c, v)
	case "VoiceMail":
		m.enterMailbox(c)
	case "StopMixMonitor":
		m.stopTape(c)
	}
	if v.group == "" && digitsOf(c.exten) != "" && m.pseudo(c.exten, c.context) {
		m.ringGroup(c, v)
	}
}

// ringGroup tells a ring group as a leg of its own, which is no person.
func (m *Machine) ringGroup(c *channel, v *conv) {
	v.group = v.id + "-g"
	m.emit(v, call.Event{Kind: call.LegRinging, Leg: v.group, Role: call.RoleGroup, Address: c.exten})
}

func (m *Machine) endGroup(v *conv, how call.Result) {
	if v.group == "" || v.group == "-" {
		return
	}
	m.emit(v, call.Event{Kind: call.LegEnded, Leg: v.group, Role: call.RoleGroup, Result: how, By: call.BySystem})
	v.group = "-"
}

// queueName is the queue whose wait rings phones now.
func (v *conv) queueName() string {
	if v.queue != nil && !v.queue.left {
		return v.queue.name
	}
	return ""
}

func (m *Machine) enterQueue(c *channel, v *conv) {
	name, _, _ := strings.Cut(c.data, ",")
	v.queue = &stay{name: call.Clean(name, 64), at: m.at, channel: c}
	place := 0
	for _, o := range m.convs {
		if !o.silent && o.queueName() == v.queue.name {
			place++
		}
	}
	m.emit(v, call.Event{Kind: call.QueueJoined, Leg: v.callerLeg(), Queue: v.queue.name, Position: place})
}

func (v *conv) callerLeg() string {
	if v.caller != nil {
		return v.caller.id
	}
	return ""
}

func (m *Machine) leaveQueue(v *conv, why string) {
	q := v.queue
	q.left = true
	e := call.Event{Kind: call.QueueLeft, Leg: v.callerLeg(), Queue: q.name, Reason: why, WaitMS: m.at.Sub(q.at).Milliseconds()}
	if why == "abandoned" {
		e.Kind = call.QueueAbandoned
	}
	m.emit(v, e)
}

// menuApp reports the applications in which a caller chooses.
func menuApp(app string) bool { return app == "BackGround" || app == "WaitExten" }

func (m *Machine) walkMenu(c *channel, v *conv) {
	if v.caller != c {
		return
	}
	in := matches(m.names.menus, c.context) || menuApp(c.app)
	switch {
	case in && v.menu != c.context:
		m.leaveMenu(c, v)
		v.menu = c.context
		m.emit(v, call.Event{Kind: call.IVREntered, Leg: c.id, Menu: v.menu})
	case v.menu != "" && v.menu != c.context:
		m.leaveMenu(c, v)
	}
}

func (m *Machine) leaveMenu(c *channel, v *conv) {
	if v.menu == "" {
		return
	}
	m.emit(v, call.Event{Kind: call.IVRLeft, Leg: c.id, Menu: v.menu, Reason: "choice", To: call.Clean(c.exten+"@"+c.context, 64)})
	v.menu = ""
}

// key is a key that was pressed. Only those of a menu are told: others may be
// a secret.
func (m *Machine) key(c *channel, digit string) {
	if v := c.conv; v != nil && v.caller == c && v.menu != "" && menuApp(c.app) {
		m.emit(v, call.Event{Kind: call.IVRInput, Leg: c.id, Menu: v.menu, Digits: call.Clean(digit, 1), Reason: "ok"})
	}
}

func (m *Machine) enterMailbox(c *channel) {
	if c.leg == nil {
		return
	}
	box, _, _ := strings.Cut(c.data, ",")
	box, _, _ = strings.Cut(box, "@")
	c.mailbox = &mailbox{leg: c.id + "-vm", box: call.Clean(box, 64)}
	m.emit(c.conv, call.Event{Kind: call.LegAnswered, Leg: c.mailbox.leg, Role: call.RoleVoicemail, Address: c.mailbox.box})
}

// leaveMailbox ends the stay. The leg counts as answered if a message was
// left; that is what makes the call one that went to voicemail.
func (m *Machine) leaveMailbox(c *channel) {
	b := c.mailbox
	if c.mailbox = nil; b == nil {
		return
	}
	e := call.Event{Kind: call.LegEnded, Leg: b.leg, Role: call.RoleVoicemail, Address: b.box, Result: call.NoAnswer, By: call.BySystem}
	if b.file != "" {
		e.Result = call.Answered
		m.emit(c.conv, call.Event{Kind: call.VoicemailLeft, Leg: b.leg, Address: b.box, File: b.file})
	}
	m.emit(c.conv, e)
}

// variable is the setting of a variable that tells how an application fared;
// see ari.WatchedVariables.
func (m *Machine) variable(c *channel, name, value string) {
	v := c.conv
	if v == nil {
		return
	}
	switch name {
	case "QUEUESTATUS":
		if v.queue != nil && v.queue.channel == c && !v.queue.left && !c.hungUp {
			m.leaveQueue(v, queueEnd(value))
		}
	case "VM_MESSAGEFILE":
		if c.mailbox != nil {
			c.mailbox.file = call.Clean(value, 256)
		}
	case "VMSTATUS":
		m.leaveMailbox(c)
	case "MIXMONITOR_FILENAME":
		m.startTape(c, value)
	}
}

// queueEnd reads QUEUESTATUS.
func queueEnd(status string) string {
	switch status {
	case "TIMEOUT":
		return "timeout"
	case "CONTINUE", "WITHDRAW":
		return "exit"
	}
	return "overflow" // FULL, JOINEMPTY, LEAVEEMPTY, JOINUNAVAIL, LEAVEUNAVAIL
}

func (m *Machine) startTape(c *channel, file string) {
	if c.tape != "" || file == "" || m.cfg.Recordings == "" {
		return
	}
	c.conv.tapes++
	c.tape = fmt.Sprintf("%s-m%d", c.conv.id, c.conv.tapes)
	m.emit(c.conv, call.Event{Kind: call.RecordingStarted, Recording: c.tape, File: call.Clean(file, 512)})
}

func (m *Machine) stopTape(c *channel) {
	if c.tape != "" {
		m.emit(c.conv, call.Event{Kind: call.RecordingStopped, Recording: c.tape})
		c.tape = ""
	}
}
