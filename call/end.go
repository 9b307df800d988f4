package call

import "time"

// Decided, as a key of Event.Data, marks an end whose disposition Conclude has
// decided, so that a later version may decide it anew. What a source states
// itself is not marked.
const Decided = "decided"

// Conclude states the end of a call whose legs are all gone: its disposition,
// and who ended it and why. The caller's own hang-up counts first, then that
// of the last person who talked. Where nobody was reached, the codes are those
// of the party that could not be.
func (c *Call) Conclude() Event {
	e := Event{
		Kind: CallEnded, Call: c.ID, Source: c.Source, Disposition: c.Decide(), By: BySystem,
		Data: map[string]string{Decided: "1"},
	}
	if l := c.refusal(e.Disposition); l != nil {
		e.By, e.Cause, e.SIP, e.Text = l.By, l.Cause, l.SIP, l.Phrase
		return e
	}
	var last *Leg
	for i := range c.Legs {
		l := &c.Legs[i]
		switch {
		case l.Role == RoleCaller:
			e.Cause, e.SIP, e.Text = l.Cause, l.SIP, l.Phrase
			if l.By != BySystem && l.By != "" {
				e.By = l.By
				return e
			}
		case l.Role.Person() && l.Ended != nil && l.By != BySystem && (l.Answered != nil || c.Direction != Inbound):
			if last == nil || !l.Ended.Before(*last.Ended) {
				last = l
			}
		}
	}
	if last != nil && last.By != "" {
		e.By, e.Cause, e.SIP, e.Text = last.By, last.Cause, last.SIP, last.Phrase
	}
	return e
}

// refusal is the leg on which a call of ours came to nothing, if it was refused.
func (c *Call) refusal(d Disposition) *Leg {
	if c.Direction == Inbound || d != CallBusy && d != CallRejected && d != CallFailed {
		return nil
	}
	l := c.lastCalled()
	if l == nil || l.By == "" || l.By == BySystem {
		return nil
	}
	return l
}

// Decide tells the disposition of a call that has just ended, from what has
// happened to it. It is asked once, by whoever states CallEnded.
func (c *Call) Decide() Disposition {
	switch {
	case c.Answered != nil:
		return CallAnsweredD
	case c.Message != nil:
		return Voicemail
	case c.Callback:
		return CallbackScheduled
	case c.Direction == Outbound:
		return c.decideOutbound()
	case len(c.Queues) > 0 && c.Queues[len(c.Queues)-1].Left == "abandoned":
		return AbandonedQueue
	case c.closed():
		return AfterHours
	case c.Direction == Internal:
		return c.decideInternal()
	case c.gaveUp():
		return AbandonedRinging
	case c.rang():
		return Missed
	case len(c.Menus) > 0:
		return AbandonedIVR
	}
	return Missed
}

// closed reports whether the caller was turned away by the opening hours.
func (c *Call) closed() bool {
	n := len(c.Menus)
	return n > 0 && c.Menus[n-1].Closed && len(c.Queues) == 0 && !c.rang()
}

// rang reports whether a person's phone rang.
func (c *Call) rang() bool { return c.lastCalled() != nil }

// togetherMS is within how many milliseconds the ends of two legs are one and
// the same: some PBXs end the phones that ring before the caller's channel.
const togetherMS = 1000

// gaveUp reports whether the caller hung up himself while a phone rang for him.
func (c *Call) gaveUp() bool {
	var caller *Leg
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Role == RoleCaller && l.By == ByCaller && l.Ended != nil {
			caller = l
		}
	}
	if caller == nil {
		return false
	}
	for i := range c.Legs {
		l := &c.Legs[i]
		if !l.Role.Person() || l.Answered != nil || l.Started.After(*caller.Ended) {
			continue
		}
		switch l.Result {
		case Cancelled:
			if l.Ended == nil || !l.Ended.Before(caller.Ended.Add(-togetherMS*time.Millisecond)) {
				return true
			}
		case "", Lost:
			return true // it rings still
		}
	}
	return false
}

// lastCalled is the leg of the last person whose phone was called.
func (c *Call) lastCalled() *Leg {
	for i := len(c.Legs) - 1; i >= 0; i-- {
		if c.Legs[i].Role.Person() {
			return &c.Legs[i]
		}
	}
	return nil
}

func (c *Call) decideOutbound() Disposition {
	l := c.lastCalled()
	if l == nil {
		return Missed
	}
	switch l.Result {
	case Busy:
		return CallBusy
	case Rejected:
		return CallRejected
	case Cancelled:
		return CallCancelled
	case Failed:
		return CallFailed
	}
	return Missed
}

// decideInternal tells of a call between extensions: as of one that goes out,
// where a person was called.
func (c *Call) decideInternal() Disposition {
	if !c.rang() && len(c.Menus) > 0 {
		return AbandonedIVR
	}
	return c.decideOutbound()
}
