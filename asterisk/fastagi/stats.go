package fastagi

import "sync/atomic"

// Stats are counts since the server was made, but for Open and Waiting.
type Stats struct {
	Open    int // sessions that run
	Waiting int // connections that have not sent their header yet

	Sessions     int64 // sessions begun
	RefusedPeer  int64 // connections from outside Config.Peers
	RefusedLimit int64 // connections over a limit, and those that gave way to newer ones
	RefusedToken int64 // connections without the token
	BadHeader    int64 // connections that sent no header, or no good one
	Protocol     int64 // sessions dropped because an answer made no sense
	Timeouts     int64 // sessions dropped because an answer did not come
	Panics       int64 // handlers that panicked
}

type counters struct {
	sessions, peer, limit, token, header, protocol, timeout, panics atomic.Int64
}

// Stats returns the present counts.
func (s *Server) Stats() Stats {
	c := &s.count
	st := Stats{
		Sessions: c.sessions.Load(), RefusedPeer: c.peer.Load(), RefusedLimit: c.limit.Load(),
		RefusedToken: c.token.Load(), BadHeader: c.header.Load(), Protocol: c.protocol.Load(),
		Timeouts: c.timeout.Load(), Panics: c.panics.Load(),
	}
	if d := s.door.Load(); d != nil {
		st.Waiting, st.Open = d.counts()
	}
	return st
}
