package asterisk

// CallOf is the call that a channel is a leg of, "" if Markaz does not handle
// it. Who observes the rest of the PBX asks this, so that no call is told
// twice.
func (s *Switch) CallOf(channel string) string {
	if l := s.legs.get(channel); l != nil {
		return l.call
	}
	return ""
}
