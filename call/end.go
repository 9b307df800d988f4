package call

// Conclude states the end of a call whose legs are all gone: its disposition,
// and who ended it and why. The caller's own hang-up counts first, then that
// of the last person who talked.
func (c *Call) Conclude() Event {
	e := Event{Kind: CallEnded, Call: c.ID, Source: c.Source, Disposition: c.Decide(), By: BySystem}
	var last *Leg
	for i := range c.Legs {
		l := &c.Legs[i]
		switch {
		case l.Role == RoleCaller:
			e.Cause, e.SIP = l.Cause, l.SIP
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
		e.By, e.Cause, e.SIP = last.By, last.Cause, last.SIP
	}
	return e
}

// Decide tells the disposition of a call that has just ended, from what has
// happened to it. It is asked once, by whoever states CallEnded.
func (c *Call) Decide() Disposition {
	switch {
	case c.Answered != nil:
		return CallAnsweredD
	case c.Direction == Outbound:
		return c.decideOutbound()
	case len(c.Queues) > 0 && c.Queues[len(c.Queues)-1].Left == "abandoned":
		return AbandonedQueue
	case c.closed():
		return AfterHours
	case c.rang():
		return Missed
	case len(c.Menus) > 0:
		return AbandonedIVR
	case c.Direction == Internal:
		return c.decideOutbound()
	}
	return Missed
}

// closed reports whether the caller was turned away by the opening hours.
func (c *Call) closed() bool {
	n := len(c.Menus)
	return n > 0 && c.Menus[n-1].Closed && len(c.Queues) == 0 && !c.rang()
}

// rang reports whether a person's phone rang.
func (c *Call) rang() bool {
	for i := range c.Legs {
		if c.Legs[i].Role.Person() {
			return true
		}
	}
	return false
}

func (c *Call) decideOutbound() Disposition {
	for i := len(c.Legs) - 1; i >= 0; i-- {
		if !c.Legs[i].Role.Person() {
			continue
		}
		switch c.Legs[i].Result {
		case Busy:
			return CallBusy
		case Rejected:
			return CallRejected
		case Cancelled:
			return CallCancelled
		case Failed:
			return CallFailed
		}
	}
	return Missed
}
