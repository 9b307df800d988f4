package testbed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// Load describes many like calls over the trunk, made by SIPp. Calls and Limit
// bound it always.
type Load struct {
	Number   string        // the number that is called
	From     string        // the caller's number is this with the number of the call after it; default 0900
	Calls    int           // how many in all
	AtOnce   int           // how many at most at a time; default Calls
	Rate     float64       // calls begun per second; default 10
	Steps    []Step        // what each does after it was answered
	UntilBye bool          // then waits for the other side to hang up, instead of doing it
	Limit    time.Duration // for the whole run; default one minute
}

// Step is one of: a time to wait; keys to press, 1.2 s each; a time to put the
// other side on hold.
type Step struct {
	Wait time.Duration
	Keys string
	Hold time.Duration
}

// keyTime is how long SIPp takes for a key: it begins with 800 ms of silence.
// Of several keys at once it loses the last.
const keyTime = 1200 * time.Millisecond

// Report is what SIPp counted.
type Report struct {
	OK, Failed int
	Cancelled  int             // calls to robots that ended before they answered
	Answered   []time.Duration // from INVITE to 200, of each answered call, shortest first
	Errors     string          // SIPp's error log, empty if all went well
}

// Percentile of the answer times, p from 0 to 100; 0 if no call was answered.
func (r Report) Percentile(p float64) time.Duration {
	if len(r.Answered) == 0 {
		return 0
	}
	i := int(math.Ceil(p/100*float64(len(r.Answered)))) - 1
	return r.Answered[min(max(i, 0), len(r.Answered)-1)]
}

// RunLoad makes the calls and waits until they are over. Calls that failed are
// in the report, not in the error.
func (a *Asterisk) RunLoad(ctx context.Context, l Load) (Report, error) {
	if l.Calls < 1 {
		return Report{}, errors.New("run load: the number of calls must be given")
	}
	pressed := func(s Step) bool { return s.Keys != "" }
	if slices.ContainsFunc(l.Steps, pressed) && os.Geteuid() != 0 {
		return Report{}, errors.New("run load: SIPp can press keys only as root, because it sends them from a raw socket")
	}
	l = l.withDefaults()
	run, err := a.startSIPp("caller", &callerScenario{Load: l}, l.AtOnce, l.Limit,
		"-m", strconv.Itoa(l.Calls), "-l", strconv.Itoa(l.AtOnce),
		"-r", strconv.Itoa(max(int(l.Rate*10), 1)), "-rp", "10000", a.SIPAddr())
	if err != nil {
		return Report{}, err
	}
	defer run.close()
	select {
	case <-run.process.Done():
	case <-ctx.Done():
		return Report{}, fmt.Errorf("run load: %w", ctx.Err())
	}
	return run.report()
}

func (l Load) withDefaults() Load {
	if l.From == "" {
		l.From = "0900"
	}
	if l.AtOnce == 0 {
		l.AtOnce = l.Calls
	}
	if l.Rate == 0 {
		l.Rate = 10
	}
	if l.Limit == 0 {
		l.Limit = time.Minute
	}
	return l
}

// callerScenario is what the template reads: messages in their order, each
// INVITE and BYE with the next sequence number and each ACK with that of its INVITE.
type callerScenario struct {
	Load
	last message
}

type message struct {
	Method, Number, From, Mode string
	Seq                        int
}

// Message begins the next transaction.
func (s *callerScenario) Message(method, mode string) message {
	s.last = message{method, s.Number, s.From, mode, s.last.Seq + 1}
	return s.last
}

// Again is the last one, for the ACK of the first INVITE.
func (s *callerScenario) Again() message { return s.last }
