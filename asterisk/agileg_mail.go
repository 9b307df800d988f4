package asterisk

import (
	"sync"
	"time"

	"markaz/call"
)

// agiMail is what a FastAGI leg has been asked to do and has not done yet. One
// command runs at a time and may last as long as a prompt, so what cannot wait
// that long does not queue: stopping a Play, the end of the session, and the
// lease, of which only the newest wish counts.
type agiMail struct {
	room      int
	interrupt func()        // stops the prompt that plays, and those that follow
	proceed   func()        // lets prompts play again
	wake      chan struct{} // has a token when something has come

	mu      sync.Mutex
	queue   []call.Action
	plays   map[string]bool // Plays not ended yet: whether each shall stop
	playing string          // the one that is heard
	last    call.Action     // Hangup, Release or Handover: what ends the session
	lease   *bool           // renew or lift; nil if there is no wish
	closed  bool
}

func newAGIMail(room int, interrupt, proceed func()) *agiMail {
	return &agiMail{room: room, interrupt: interrupt, proceed: proceed, wake: make(chan struct{}, 1)}
}

// put takes an action and never blocks; false when there is no room for it, or
// the session is over.
func (m *agiMail) put(a call.Action) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	switch a := a.(type) {
	case call.StopPlay:
		m.stop(a.ID)
		return true
	case call.Lease:
		m.lease = &a.On
		return true
	case call.Hangup, call.Release, call.Handover:
		m.last = a
		if m.playing != "" {
			m.interrupt()
		}
	case call.Play:
		if !m.push(a) {
			return false
		}
		if m.plays == nil {
			m.plays = map[string]bool{}
		}
		m.plays[a.ID] = false
	default:
		if !m.push(a) {
			return false
		}
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

func (m *agiMail) push(a call.Action) bool {
	if len(m.queue) >= m.room {
		return false
	}
	m.queue = append(m.queue, a)
	return true
}

func (m *agiMail) stop(id string) {
	if _, known := m.plays[id]; !known {
		return
	}
	m.plays[id] = true
	if m.playing == id {
		m.interrupt()
	}
}

// take returns the next action, nil when there is none: what ends the session
// comes after all that was asked before.
func (m *agiMail) take() call.Action {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) == 0 {
		a := m.last
		m.last = nil
		return a
	}
	a := m.queue[0]
	if m.queue = m.queue[1:]; len(m.queue) == 0 {
		m.queue = nil
	}
	return a
}

// wait waits until something comes, but not long.
func (m *agiMail) wait(d time.Duration) {
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-m.wake:
	case <-late.C:
	}
}

// begin makes id the Play that is heard.
func (m *agiMail) begin(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.playing = id
	m.proceed()
}

// stopped reports whether the Play that is heard shall stop.
func (m *agiMail) stopped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last != nil || m.plays[m.playing]
}

// end forgets the Play that was heard.
func (m *agiMail) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.plays, m.playing)
	m.playing = ""
}

// leaseWish takes the newest wish about the lease.
func (m *agiMail) leaseWish() (renew, any bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lease == nil {
		return false, false
	}
	renew, m.lease = *m.lease, nil
	return renew, true
}

// close refuses what comes from now on.
func (m *agiMail) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
}
