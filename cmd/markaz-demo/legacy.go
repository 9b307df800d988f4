package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"markaz/asterisk/testbed/proc"
	"markaz/call"
	"markaz/legacy/testbed"
)

// branch is an office without Asterisk: an old exchange behind TCP and three
// bare lines behind a serial port, which the sidecar brings into the same
// list of calls.
type branch struct {
	pbx     *testbed.PBX
	segal   *testbed.Segal
	device  *os.File
	sidecar *proc.Process
	log     *os.File
	stop    context.CancelFunc
	served  sync.WaitGroup
}

// Numbers of those who call the branch or are called.
const (
	oldClient  = "02188776655"
	oldMissed  = "02188776656"
	lineClient = "09351112233"
	lineMissed = "09351112244"
	lineCalled = "02122334455"
)

// openBranch starts exchange, line monitor and sidecar.
func (d *demo) openBranch(ctx context.Context, binary string) (b *branch, err error) {
	b = &branch{}
	d.branch = b // Close ends what was begun
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return b, fmt.Errorf("listen: %w", err)
	}
	b.pbx = testbed.NewPBX(testbed.Options{User: "SMDR", Password: "PCCSMDR", Page: 60, Repeat: 5})
	ctx, b.stop = context.WithCancel(ctx)
	b.served.Go(func() {
		if err := b.pbx.Serve(ctx, ln); err != nil {
			d.say("The exchange has failed: %v", err)
		}
	})
	var port string
	if b.device, port, err = testbed.Pty(); err != nil {
		return b, err
	}
	if b.segal, err = testbed.NewSegal(3, b.device); err != nil {
		return b, err
	}
	b.segal.Cadence = 2 * time.Second
	dir := filepath.Join(d.office.Dir(), "branch")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return b, fmt.Errorf("make folder: %w", err)
	}
	config := filepath.Join(dir, "legacy.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(branchConfig, dir, d.office.Redis.Addr(), ln.Addr(), port)), 0o600); err != nil {
		return b, fmt.Errorf("write configuration: %w", err)
	}
	if b.log, err = os.Create(filepath.Join(dir, "sidecar.log")); err != nil {
		return b, fmt.Errorf("open log: %w", err)
	}
	cmd := exec.Command(binary, "run", "--config", config)
	cmd.Stdout, cmd.Stderr = b.log, b.log
	b.sidecar, err = proc.Start(cmd)
	return b, err
}

const branchConfig = `
dir: %q
listen: ""
stream: {redis: {addr: %q}}
sources:
  - key: panasonic
    model: KX-NS500
    date: DD/MM/YY
    numbers: {country: IR, city: "21", release: "9"}
    connection: {type: tcp, address: %q, login: {user: SMDR, password: PCCSMDR}}
  - key: segal
    profile: segal
    numbers: {country: IR, city: "21"}
    lines: {"1": "301", "2": "302", "3": "303"}
    connection: {type: serial, serial: {port: %q}}
`

// call lets the branch have its calls.
func (b *branch) call(ctx context.Context) error {
	now := time.Now()
	b.served.Go(func() { b.pbx.Happen(ctx, testbed.Incoming(now, "204", 3, oldClient, 4*time.Second, 9*time.Second)) })
	b.served.Go(func() {
		b.pbx.Happen(ctx, testbed.Unanswered(now.Add(3*time.Second), "205", 4, oldMissed, 8*time.Second))
	})
	b.served.Go(func() { b.pbx.Happen(ctx, testbed.Outgoing(now, "206", 5, "909121112233", 7*time.Second)) })
	var last error
	do := func(fn func() error) {
		if last == nil && ctx.Err() == nil {
			last = fn()
		}
	}
	do(func() error { return b.segal.Ring(1, lineClient, 2) })
	do(func() error { return b.segal.Lift(1) })
	do(func() error { return b.segal.Ring(2, lineMissed, 2) })
	do(func() error { return b.segal.HangUp(1) })
	do(func() error { return b.segal.Lift(3) })
	do(func() error { return b.segal.Dial(3, lineCalled) })
	time.Sleep(2 * time.Second)
	do(func() error { return b.segal.HangUp(3) })
	return errors.Join(last, ctx.Err())
}

// outcome is what the list must say of a call of the branch.
type outcome struct {
	source, number string
	direction      call.Direction
	dispositions   []call.Disposition
}

func outcomes() []outcome {
	answered, missed := []call.Disposition{call.CallAnsweredD}, []call.Disposition{call.Missed}
	return []outcome{
		{"panasonic", oldClient, call.Inbound, answered},
		{"panasonic", oldMissed, call.Inbound, missed},
		{"panasonic", "09121112233", call.Outbound, answered},
		{"segal", lineClient, call.Inbound, answered},
		{"segal", lineMissed, call.Inbound, missed},
		{"segal", lineCalled, call.Outbound, []call.Disposition{call.CallAnsweredD, call.CallCancelled}},
	}
}

// judge waits for the branch's calls in the list of all.
func (b *branch) judge(ctx context.Context, d *demo) error {
	_, err := d.office.AwaitCalls(ctx, func(all []call.Call) bool {
		for _, want := range outcomes() {
			if !want.in(all) {
				return false
			}
		}
		return true
	})
	if err != nil {
		text, _ := os.ReadFile(b.log.Name())
		return fmt.Errorf("calls of the branch: %w\nthe sidecar says:\n%s", err, text)
	}
	return nil
}

func (o outcome) in(all []call.Call) bool {
	found := 0
	for _, c := range all {
		number := c.From
		if o.direction == call.Outbound {
			number = c.To
		}
		if c.Source != o.source || number != o.number || c.Direction != o.direction || !c.Over() {
			continue
		}
		for _, disposition := range o.dispositions {
			if c.Disposition == disposition {
				found++
			}
		}
	}
	return found == 1
}

func (b *branch) close() error {
	if b.sidecar != nil {
		b.sidecar.Stop(10 * time.Second)
	}
	if b.stop != nil {
		b.stop()
	}
	b.served.Wait()
	var err error
	if b.device != nil {
		err = b.device.Close()
	}
	if b.log != nil {
		err = errors.Join(err, b.log.Close())
	}
	return err
}
