package payamgostar

import (
	"encoding/json"
	"net/http"
	"time"
)

// message holds the fields of every request about a call or a channel.
type message struct {
	TsKey, SourceID, PhoneNumber, StartDate string

	CallTypeIndex            int
	InitChannelPeerName      string
	InitChannelPeerTypeIndex int
	InitChannelSourceID      string
	IsLive                   *bool

	CallID        int64
	EndDate       *string
	CallChannelID int64

	ChannelPeerName, ChannelSourceID, CreateDate, RecordedFileName string

	ChannelPeerTypeIndex, ChannelStatusIndex, ChannelResponseIndex int

	ConnectDate, HangupDate *string

	SourceCallID, DestinationCallID int64
}

func read(r *http.Request) (message, *refusal) {
	var m message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return m, refuse(400, "%v", err)
	}
	return m, nil
}

func (s *Server) createCall(r *http.Request) (any, *refusal) {
	m, no := read(r)
	if no != nil {
		return nil, no
	}
	switch {
	case m.TsKey != s.opt.Key:
		return nil, refuse(400, "telephony system %q does not exist", m.TsKey)
	case m.SourceID == "" || m.PhoneNumber == "" || m.InitChannelSourceID == "" || m.InitChannelPeerName == "" || m.IsLive == nil:
		return nil, refuse(400, "SourceId, PhoneNumber, InitChannelSourceId, InitChannelPeerName and IsLive are required")
	case m.CallTypeIndex < 1 || m.CallTypeIndex > 4 || m.InitChannelPeerTypeIndex < 1 || m.InitChannelPeerTypeIndex > 2:
		return nil, refuse(400, "CallTypeIndex is 1 to 4, InitChannelPeerTypeIndex 1 or 2")
	}
	start, no := date(m.StartDate)
	if no == nil {
		no = s.knows(m.InitChannelPeerName)
	}
	if no != nil {
		return nil, no
	}
	c := s.bySource(m.SourceID)
	if c == nil || s.opt.Forgetful {
		c = &Call{
			ID: s.next(), Source: m.SourceID, Number: m.PhoneNumber, Type: m.CallTypeIndex, Start: start, Live: *m.IsLive,
			Channels: []Channel{{ID: s.next(), Source: m.InitChannelSourceID, Peer: m.InitChannelPeerName, PeerType: m.InitChannelPeerTypeIndex, Status: 2}},
		}
		s.calls = append(s.calls, c)
	}
	out := map[string]any{"CallId": c.ID, "InitChannelId": c.Channels[0].ID, "IdentityId": nil, "IdentityNickName": nil}
	if name, ok := s.opt.Identities[c.Number]; ok {
		out["IdentityId"], out["IdentityNickName"] = "6f9619ff-8b86-d011-b42d-00cf4fc964ff", name
	}
	return out, nil
}

func (s *Server) bySource(source string) *Call {
	for _, c := range s.calls {
		if c.Source == source {
			return c
		}
	}
	return nil
}

func (s *Server) byID(id int64) *Call {
	for _, c := range s.calls {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (s *Server) updateCall(r *http.Request) (any, *refusal) {
	m, no := read(r)
	if no != nil {
		return nil, no
	}
	c := s.byID(m.CallID)
	switch {
	case c == nil:
		return nil, refuse(404, "call %d does not exist", m.CallID)
	case m.PhoneNumber == "" || m.CallTypeIndex < 1 || m.CallTypeIndex > 4 || m.IsLive == nil:
		return nil, refuse(400, "PhoneNumber, CallTypeIndex and IsLive are required")
	}
	if m.EndDate != nil {
		end, no := date(*m.EndDate)
		if no != nil {
			return nil, no
		}
		if end.Before(c.Start) {
			return nil, refuse(400, "EndDate is before StartDate")
		}
		c.End = end
	}
	c.Number, c.Type = m.PhoneNumber, m.CallTypeIndex
	return map[string]any{"IdentityId": nil, "IdentityNickName": s.opt.Identities[c.Number]}, nil
}

func (s *Server) active(*http.Request) (any, *refusal) {
	out := []map[string]any{}
	for _, c := range s.calls {
		if c.Live && c.End.IsZero() {
			out = append(out, map[string]any{"CallId": c.ID, "PhoneNumber": c.Number, "CallDate": c.Start.Format(time.RFC3339)})
		}
	}
	return out, nil
}

func (s *Server) merge(r *http.Request) (any, *refusal) {
	m, no := read(r)
	if no != nil {
		return nil, no
	}
	from, into := s.byID(m.SourceCallID), s.byID(m.DestinationCallID)
	if m.TsKey != s.opt.Key || from == nil || into == nil || from == into {
		return nil, refuse(400, "TsKey, SourceCallId and DestinationCallId of two calls are required")
	}
	from.MergedTo = into.ID
	return true, nil
}

func (s *Server) createChannel(r *http.Request) (any, *refusal) {
	m, no := read(r)
	if no != nil {
		return nil, no
	}
	c := s.byID(m.CallID)
	switch {
	case c == nil:
		return nil, refuse(404, "call %d does not exist", m.CallID)
	case m.ChannelPeerName == "" || m.ChannelSourceID == "" || m.IsLive == nil:
		return nil, refuse(400, "ChannelPeerName, ChannelSourceId and IsLive are required")
	case m.ChannelPeerTypeIndex < 1 || m.ChannelPeerTypeIndex > 2 || m.ChannelStatusIndex < 1 || m.ChannelStatusIndex > 4:
		return nil, refuse(400, "ChannelPeerTypeIndex is 1 or 2, ChannelStatusIndex 1 to 4")
	}
	if _, no := date(m.CreateDate); no != nil {
		return nil, no
	}
	if no := s.knows(m.ChannelPeerName); no != nil {
		return nil, no
	}
	for _, ch := range c.Channels {
		if ch.Source == m.ChannelSourceID && !s.opt.Forgetful {
			return map[string]any{"CallChannelId": ch.ID}, nil
		}
	}
	ch := Channel{ID: s.next(), Source: m.ChannelSourceID, Peer: m.ChannelPeerName, PeerType: m.ChannelPeerTypeIndex, Status: m.ChannelStatusIndex}
	c.Channels = append(c.Channels, ch)
	if *m.IsLive && ch.PeerType == 1 && ch.Status == 2 {
		s.popUps = append(s.popUps, ch.Peer)
	}
	return map[string]any{"CallChannelId": ch.ID}, nil
}

func (s *Server) updateChannel(r *http.Request) (any, *refusal) {
	m, no := read(r)
	if no != nil {
		return nil, no
	}
	ch := s.channel(m.CallChannelID)
	switch {
	case ch == nil:
		return nil, refuse(404, "channel %d does not exist", m.CallChannelID)
	case m.ChannelStatusIndex < 1 || m.ChannelStatusIndex > 4 || m.ChannelResponseIndex < 1 || m.ChannelResponseIndex > 4 || m.IsLive == nil:
		return nil, refuse(400, "ChannelStatusIndex and ChannelResponseIndex are 1 to 4, IsLive is required")
	}
	for _, d := range []struct {
		from *string
		to   *time.Time
	}{{m.ConnectDate, &ch.Connected}, {m.HangupDate, &ch.Ended}} {
		if d.from == nil {
			continue
		}
		t, no := date(*d.from)
		if no != nil {
			return nil, no
		}
		*d.to = t
	}
	ch.Status, ch.Response, ch.File = m.ChannelStatusIndex, m.ChannelResponseIndex, m.RecordedFileName
	return nil, nil
}

func (s *Server) channel(id int64) *Channel {
	for _, c := range s.calls {
		for i := range c.Channels {
			if c.Channels[i].ID == id {
				return &c.Channels[i]
			}
		}
	}
	return nil
}
