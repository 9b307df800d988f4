package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	crmfault "markaz/apps/crm/fault"
	"markaz/asterisk/testbed/office"
	"markaz/call"
)

// redisAway is how long Redis is away under calls: 30 s, or what the environment
// variable REDIS_AWAY says.
func redisAway(t *testing.T) time.Duration {
	t.Helper()
	text := cmp.Or(os.Getenv("REDIS_AWAY"), "30s")
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// No call notices that Redis was killed, or is full. Afterwards the stream and
// the web hook have every event once and in order.
func TestRedisIsAwayUnderCalls(t *testing.T) {
	t.Parallel()
	length := redisAway(t)
	h := newHouse(t, byStasis(0))
	ctx := h.within(104*time.Second + 2*length)
	sara := h.agent(ctx, "101")
	for _, outage := range []struct {
		name, first, second string
		begin, end          func()
	}{
		{"killed", "09121111111", "09122222222", h.Redis.Kill, func() { h.must(h.Redis.Resume(ctx)) }},
		{"full", "09123333333", "09124444444", func() { h.redis("CONFIG SET maxmemory 1") }, func() { h.redis("CONFIG SET maxmemory 0") }},
	} {
		first := h.waits(ctx, outage.first, "position-1")
		outage.begin()
		away := time.Now()
		agent := h.takes(ctx, sara, first)
		second := h.dial(ctx, "02112345678", outage.second)
		h.hears(ctx, second, "welcome")
		if took := time.Since(second.Began); took > 2*time.Second {
			t.Errorf("%s: a new caller heard the menu after %v", outage.name, took)
		}
		h.must(second.SendDTMF(ctx, "1"))
		chosen := time.Now()
		h.hears(ctx, second, "position-1", "music")
		h.must(first.Hangup(ctx))
		over := time.Now()
		agent2 := h.takes(ctx, sara, second)
		h.knowsNothingOf(ctx, outage.second)
		time.Sleep(time.Until(away.Add(length))) // events heap up
		h.unbroken("who talks", second, agent2.AnsweredAt().Add(time.Second), time.Now())
		outage.end()
		h.must(second.Hangup(ctx))
		over2 := time.Now()

		c := h.record(ctx, outage.first, hasFile)
		checkTalk(t, c, first, agent, over)
		checkWait(t, c, first.AnsweredAt(), agent)
		d := h.record(ctx, outage.second, hasFile)
		checkTalk(t, d, second, agent2, over2)
		checkWait(t, d, chosen, agent2)
		h.checkSequence(ctx, c)
		h.checkSequence(ctx, d)
		h.hookAgrees(ctx, c, d)
	}
	h.Bed.NothingLeft(t)
}

// knowsNothingOf makes sure that Redis is away, or has nothing of a call.
func (h *house) knowsNothingOf(ctx context.Context, from string) {
	h.t.Helper()
	calls, err := h.Calls(ctx)
	var failed *exec.ExitError
	if err != nil && (!errors.As(err, &failed) || failed.ExitCode() != exitUnreachable) {
		h.t.Errorf("markaz calls without Redis: %v", err)
	}
	if slices.ContainsFunc(calls, func(c call.Call) bool { return c.From == from }) {
		h.t.Errorf("Redis takes events of the call from %s", from)
	}
}

// redis gives the server one command.
func (h *house) redis(command string) {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.Redis.Addr())
	h.must(err)
	defer conn.Close()
	_, err = conn.Write([]byte(command + "\r\n"))
	h.must(err)
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(answer, "+OK") {
		h.t.Fatalf("%s: %q, %v", command, answer, err)
	}
}

// A CRM that is away, answers with an error, does not answer in time, or whose
// answer gets lost gets every event in the end, in order and once by id.
func TestTheCRMIsAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t, office.Options{})
	ctx := h.within(90 * time.Second)
	talk := func(from string) call.Call {
		c := h.dial(ctx, "02112345678", from)
		h.hears(ctx, c, "welcome")
		h.must(c.SendDTMF(ctx, "2"))
		h.hears(ctx, c, "second")
		h.must(c.Hangup(ctx))
		return h.record(ctx, from, ended)
	}
	h.hook.Script().Next(
		crmfault.Fault{Status: 500}, crmfault.Fault{},
		crmfault.Fault{Delay: hookTimeout + time.Second}, crmfault.Fault{},
		crmfault.Fault{Work: true, Reset: true}, crmfault.Fault{},
	)
	c := talk("09121111111")
	h.hookAgrees(ctx, c)
	if h.hook.Repeats() == 0 {
		t.Error("the event whose answer was lost did not come again")
	}

	address := h.web.Listener.Addr().String()
	h.web.Close()
	d := talk("09122222222")
	e := talk("09123333333")
	listener, err := net.Listen("tcp", address)
	h.must(err)
	h.web = httptest.NewUnstartedServer(h.hook)
	h.must(h.web.Listener.Close())
	h.web.Listener = listener
	h.web.Start()
	h.hookAgrees(ctx, c, d, e)
}
