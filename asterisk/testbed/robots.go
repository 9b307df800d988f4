package testbed

import (
	"strings"
	"syscall"
	"time"
)

// Robots are agents played by SIPp: they take any number of calls, ring for
// Ring, answer, and speak for Talk or until the other side hangs up. On a bed
// with Options.Robots they are the extensions 901, 902, … without registration.
type Robots struct {
	Ring   time.Duration
	Talk   time.Duration // after which they hang up; default never
	AtOnce int           // calls that need RTP ports at a time; default 50
	Limit  time.Duration // they stop by themselves after this; default five minutes

	run *sippRun
}

// StartRobots starts them; Stop ends them.
func (a *Asterisk) StartRobots(r Robots) (*Robots, error) {
	if r.AtOnce == 0 {
		r.AtOnce = 50
	}
	if r.Ring == 0 {
		r.Ring = time.Millisecond
	}
	if r.Limit == 0 {
		r.Limit = 5 * time.Minute
	}
	_, port, _ := strings.Cut(a.robotAddr(), ":")
	run, err := a.startSIPp("robot", r, r.AtOnce, r.Limit, "-p", port)
	if err != nil {
		return nil, err
	}
	r.run = run
	return &r, nil
}

// Stop ends the robots and says how many calls they had. One whose end is on
// the wire still is waited for a moment.
func (r *Robots) Stop() (Report, error) {
	defer r.run.close()
	_ = r.run.process.Signal(syscall.SIGUSR1) // no new calls; it fails when SIPp has ended by its limit
	select {
	case <-r.run.process.Done():
	case <-time.After(time.Second):
	}
	r.run.process.Stop(2 * time.Second) // on SIGTERM it writes its statistics once more
	return r.run.report()
}
