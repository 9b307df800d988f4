package asterisk

import (
	"net/http"
	"strconv"
	"strings"

	"markaz/call"
)

// ending is what is known of a channel's end while it comes.
type ending struct {
	asked      bool // we asked for it
	askedCause int
	seen       bool   // ChannelHangupRequest came
	soft       bool   // by somebody within Asterisk, not by the phone
	cause, sip int    // of the request, or of ChannelDestroyed; 0 if not told
	phrase     string // that came with the code
	released   bool   // we gave the channel back to the dialplan
	moved      string // why it lives on without us: the lease ran out, a transfer
	replaced   bool   // another channel took its place: its phone transferred the other party
	replacedOK bool   // and that has been told
}

// request notes a ChannelHangupRequest. The first one tells who hung up. The
// cause of a soft one is a flag of Asterisk (32 means "explicit") and no Q.850.
func (e *ending) request(soft bool, cause, sip int) {
	if !e.seen {
		e.seen, e.soft = true, soft
	}
	if !soft {
		e.told(cause, sip)
	}
}

// told notes a cause that Asterisk states.
func (e *ending) told(cause, sip int) {
	if cause != 0 {
		e.cause = cause
	}
	if sip != 0 {
		e.sip = sip
	}
}

// refused notes with which code and words the other side refused the call, such
// as "SIP 403 No money left".
func (e *ending) refused(why string) {
	tech, rest, _ := strings.Cut(why, " ")
	code, phrase, _ := strings.Cut(rest, " ")
	if sip, err := strconv.Atoi(code); tech == "SIP" && err == nil && sip >= 400 && sip < 700 {
		e.sip, e.phrase = sip, call.Clean(phrase, 80)
	}
}

// verdict is the LegEnded that follows, without the parts that name the leg.
func (e *ending) verdict(role call.Role, made, answered bool) call.Event {
	v := call.Event{Kind: call.LegEnded, By: e.by(role, made, answered), Cause: e.cause, SIP: e.sip, Text: e.phrase}
	switch {
	case e.asked && v.By == call.BySystem:
		v.Cause = e.askedCause // Asterisk 16 may say 16 all the same
	case e.timeUp(made, answered):
		v.Cause = call.CauseNoAnswer // Asterisk 16 calls it normal clearing
	case v.Cause == 0:
		v.Cause = call.CauseNormal
	}
	if v.SIP == 0 {
		v.SIP = call.SIPOf(v.Cause)
	}
	switch {
	case e.released:
		v.Result, v.Reason = call.Transferred, "released"
	case e.moved != "":
		v.Result, v.Reason = call.Transferred, e.moved
	default:
		v.Result = e.result(v, made, answered)
	}
	if e.sip == 0 && v.Result == call.Rejected {
		v.SIP = declined // a person did: RFC 3398 section 7.2.4.1 has 6xx for that
	}
	return v
}

func (e *ending) by(role call.Role, made, answered bool) call.Party {
	switch {
	case e.released:
		return call.BySystem
	case e.moved == transferred:
		return partyOf(role)
	case e.moved != "":
		return call.ByPBX
	case e.seen && !e.soft:
		return partyOf(role)
	case e.asked, e.timeUp(made, answered):
		return call.BySystem
	}
	return call.ByPBX
}

// timeUp reports that a leg we called did not answer in the time we gave it:
// then it ends without anybody having asked for that.
func (e *ending) timeUp(made, answered bool) bool {
	return made && !answered && !e.seen && (e.cause == 0 || e.cause == call.CauseNormal || e.cause == call.CauseNoAnswer)
}

func partyOf(role call.Role) call.Party {
	switch role {
	case call.RoleCaller:
		return call.ByCaller
	case call.RoleAgent, call.RoleSupervisor:
		return call.ByAgent
	}
	return call.ByRemote
}

func (e *ending) result(v call.Event, made, answered bool) call.Result {
	switch {
	case answered:
		return call.Answered
	case made && e.asked && v.By == call.BySystem:
		if e.askedCause == call.CauseElsewhere {
			return call.AnsweredElsewhere
		}
		return call.Cancelled
	case !made && v.By == call.ByCaller:
		return call.Cancelled
	case made && refusedByServer(e.sip):
		// Q.850 has one cause, 21, for a person who declines and for a
		// provider who does not let us through.
		return call.Failed
	}
	return call.ResultOf(v.Cause)
}

// declined is SIP's 603.
const declined = 603

func refusedByServer(sip int) bool {
	switch sip {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired:
		return true
	}
	return false
}
