// Package proc runs the real servers that tests and the demo use, so that none
// outlives the program that started it, not even when that program is killed.
// It knows nothing of what the servers are.
package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a running child.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start runs cmd in a process group of its own and ties its life to ours: the
// kernel kills it when this program dies. The kernel really watches the thread
// that forked (prctl(2), PR_SET_PDEATHSIG), so one thread is kept for it.
func Start(cmd *exec.Cmd) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// PID is the process id of the child.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the child lives.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Wait waits for the end of the child and says how it ended.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Kill ends the child and its group with SIGKILL, frozen or not, and waits for it.
func (p *Process) Kill() {
	if p.Running() {
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	}
	<-p.done
}

// Stop asks with SIGTERM and kills what has not ended after grace. It tells
// whether the child ended by itself.
func (p *Process) Stop(grace time.Duration) bool {
	if p.Running() {
		_ = p.Signal(syscall.SIGCONT)
		_ = p.Signal(syscall.SIGTERM)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		p.Kill()
		return false
	}
}

// Freeze stops the child from running (SIGSTOP) and Continue lets it go on.
func (p *Process) Freeze() error { return p.Signal(syscall.SIGSTOP) }

// Continue ends a Freeze.
func (p *Process) Continue() error { return p.Signal(syscall.SIGCONT) }

// Signal sends one signal to the child alone.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %v: %w", sig, err)
	}
	return nil
}

// CPU is the machine time that the child has used so far, in steps of 10 ms.
func (p *Process) CPU() (time.Duration, error) { return CPU(p.PID()) }

// CPU is the machine time, user and system, of any process: fields 14 and 15
// of /proc/PID/stat, in ticks that Linux fixes at 100 a second for programs.
func CPU(pid int) (time.Duration, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read process time: %w", err)
	}
	// The name, in brackets, may hold anything, so count from its end.
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("read process time: short stat line")
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read process time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
