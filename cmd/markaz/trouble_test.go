package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/call"
)

// What keeps Markaz from starting is said in one clear line, and the running
// one is not disturbed.
func TestTroubleAtTheStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byStasis(0))
	ctx := h.within(60 * time.Second)
	caller := h.waits(ctx, "09121111111", "position-1")
	for name, c := range map[string]struct {
		env  map[string]string
		edit [2]string // in the configuration
		code int
		says []string
	}{
		"the ARI password is wrong": {
			env:  map[string]string{"MARKAZ_ASTERISK__ARI__PASSWORD": "guessed"},
			code: exitFailure, says: []string{"ARI", testbed.ARIUser, "password", "ari.conf"},
		},
		"the FastAGI port is occupied": {
			env:  map[string]string{"MARKAZ_ASTERISK__AGI__LISTEN": h.AGI()},
			code: exitFailure, says: []string{h.AGI(), "agi.listen"},
		},
		"the web port is occupied": {
			env:  map[string]string{"MARKAZ_HTTP__LISTEN": strings.TrimPrefix(h.Web(), "http://")},
			code: exitFailure, says: []string{strings.TrimPrefix(h.Web(), "http://"), "http.listen"},
		},
		"another Markaz has the spool": {
			env:  map[string]string{"MARKAZ_STREAM__SPOOL__DIR": h.Dir() + "/spool"},
			code: exitFailure, says: []string{h.Dir() + "/spool", "in use by another process"},
		},
		"a key is unknown": {
			edit: [2]string{"wrong_key:", "wrong_keys:"},
			code: exitConfig, says: []string{"markaz.yaml:", "ivr.wrong_keys: unknown key", `"wrong_key"`},
		},
		"a sound is missing": {
			edit: [2]string{"tones/closed", "tones/clsoed"},
			code: exitConfig, says: []string{"markaz.yaml:", "ivr.messages.closed.prompt[0].sound", "tones/clsoed"},
		},
		"a menu leads nowhere": {
			edit: [2]string{`"2": "menu:second"`, `"2": "menu:secnd"`},
			code: exitConfig, says: []string{"markaz.yaml:", "ivr.menus.main.keys.2", "secnd"},
		},
		"the data folder cannot be written": {
			edit: [2]string{"data_dir: ", "data_dir: /proc"},
			code: exitFailure, says: []string{"/proc"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			twin := h.second()
			text, err := os.ReadFile(twin.ConfigFile())
			h.must(err)
			if edited := strings.Replace(string(text), c.edit[0], c.edit[1], 1); c.edit[0] != "" {
				h.must(os.WriteFile(twin.ConfigFile(), []byte(edited), 0o600))
			}
			cmd := exec.CommandContext(ctx, binary, "serve", "--config", twin.ConfigFile())
			cmd.Env = os.Environ()
			for k, v := range c.env {
				cmd.Env = append(cmd.Env, k+"="+v)
			}
			var out bytes.Buffer
			cmd.Stderr = &out
			_ = cmd.Run() // its exit code is looked at
			var said []string
			for line := range strings.Lines(out.String()) {
				if !strings.HasPrefix(line, "time=") && !strings.Contains(line, "there is an administrator now") { // the log, and a first start
					said = append(said, strings.TrimSpace(line))
				}
			}
			if cmd.ProcessState.ExitCode() != c.code || len(said) != 1 {
				t.Fatalf("exit code %d, want %d\n%s", cmd.ProcessState.ExitCode(), c.code, out.String())
			}
			for _, want := range c.says {
				if !strings.Contains(said[0], want) {
					t.Errorf("nothing of %q in: %s", want, said[0])
				}
			}
			if strings.Contains(out.String(), "guessed") {
				t.Errorf("a password is shown:\n%s", out.String())
			}
		})
	}
	h.must(caller.Hangup(ctx))
	if c := h.record(ctx, "09121111111", ended); c.Disposition != call.AbandonedQueue {
		t.Errorf("the running one was disturbed: %s, %q", c.Disposition, c.Reason)
	}
	h.Bed.NothingLeft(t)
}

// At SIGTERM new callers go to the fall-back and conversations go on; when the
// last is over Markaz ends in order.
func TestDrain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byFastAGI(0))
	ctx := h.within(60 * time.Second)
	sara, fallback := h.agent(ctx, "101"), h.agent(ctx, "109")
	talks := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, sara, talks)

	h.must(h.Markaz().Signal(syscall.SIGTERM))
	began := time.Now()
	h.must(h.awaitUnready(ctx))
	late, err := testbed.NewCaller(t, h.Bed).Dial(ctx, "02112345678", testbed.From("Late", "09122222222"))
	h.must(err)
	rings, err := fallback.NextCall(ctx)
	h.must(err)
	h.must(rings.Answer())
	h.must(late.WaitAnswer(ctx))
	h.talk(ctx, late, rings)
	h.unbroken("the caller who talks", talks, began, time.Now())
	h.must(talks.Hangup(ctx))
	over := time.Now()
	if _, err := agent.WaitEnd(ctx); err != nil {
		t.Error(err)
	}
	h.endsWith(ctx, exitOK)
	h.must(late.Hangup(ctx))

	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	checkTalk(t, h.record(ctx, "09121111111", hasFile), talks, agent, over)
	h.Bed.NothingLeft(t)
}

// A drain does not wait for ever: who still talks goes on talking and is taken
// on by the next Markaz. A second signal does not wait at all.
func TestDrainHasALimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byStasis(0))
	ctx := h.within(60 * time.Second)
	sara := h.agent(ctx, "101")
	talks := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, sara, talks)
	waits := h.waits(ctx, "09122222222", "position-1")

	began := time.Now()
	h.must(h.Markaz().Signal(syscall.SIGTERM))
	h.endsWith(ctx, exitOK)
	if took := time.Since(began); took < 5*time.Second || took > 9*time.Second {
		t.Errorf("ended after %v, the drain lasts 5s", took)
	}
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	h.must(h.Markaz().Signal(syscall.SIGTERM))
	h.must(h.awaitUnready(ctx))
	second := time.Now()
	h.must(h.Markaz().Signal(syscall.SIGTERM))
	h.endsWith(ctx, exitFailure)
	if took := time.Since(second); took > time.Second {
		t.Errorf("ended %v after the second signal", took)
	}
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	h.unbroken("the caller who talks", talks, began, time.Now())
	h.unbroken("the agent", agent, began, time.Now())
	h.unbroken("the caller who waits", waits, began, time.Now())
	h.must(talks.Hangup(ctx))
	over := time.Now()
	c := h.record(ctx, "09121111111", hasFile)
	checkTalk(t, c, talks, agent, over)
	h.checkSequence(ctx, c)
	h.must(h.takes(ctx, sara, waits).Hangup(ctx))
	d := h.record(ctx, "09122222222", hasFile)
	h.checkSequence(ctx, d)
	h.hookAgrees(ctx, c, d)
	h.Bed.NothingLeft(t)
}

// endsWith waits for the end of Markaz and compares its exit code.
func (h *house) endsWith(ctx context.Context, code int) {
	h.t.Helper()
	select {
	case <-h.Markaz().Done():
	case <-ctx.Done():
		h.t.Fatal("markaz does not end")
	}
	if got := exitCode(h.Markaz()); got != code {
		h.t.Errorf("exit code %d, want %d: %s", got, code, lastLine(h.Log()))
	}
}
