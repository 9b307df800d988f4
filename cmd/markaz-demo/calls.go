package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"markaz/asterisk/testbed"
	"markaz/call"
)

// caller is one of the demo's callers: what he does, and what the record of
// his call must say afterwards.
type caller struct {
	name, number string
	dials        string
	after        time.Duration // begins so long after the demo
	keys         string        // one after the other, each after listening
	talks        time.Duration // then he hangs up; 0: he gives up while he waits
	disposition  call.Disposition
	reached      string // extension, "" for nobody or anybody
}

func cast() []caller {
	const main = "02100000000"
	return []caller{
		{"Ali", "09120000001", main, 0, "1", 8 * time.Second, call.CallAnsweredD, "101"},
		{"Maryam", "09120000002", main, 2 * time.Second, "1", 3 * time.Second, call.CallAnsweredD, "101"},
		{"Ivan", "+79160000003", main, 3 * time.Second, "92", 4 * time.Second, call.CallAnsweredD, ""},
		{"Wei", "+8613800000004", main, 5 * time.Second, "e103", 4 * time.Second, call.CallAnsweredD, "103"},
		{"Sima", "09120000005", main, 6 * time.Second, "71", 0, call.AbandonedQueue, ""},
		{"Night owl", "09120000006", "02100000099", 8 * time.Second, "", 0, call.AfterHours, ""},
	}
}

// show lets everybody call, waits for the records and holds them against what
// should have happened.
func (d *demo) show(ctx context.Context) error {
	d.say("Six callers dial in; the branch has six calls of its own.\n")
	calls, cancel := context.WithTimeout(ctx, 55*time.Second)
	defer cancel()
	var people errgroup.Group
	for _, c := range cast() {
		people.Go(func() error {
			if err := d.call(calls, c); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		})
	}
	people.Go(func() error { return d.branch.call(calls) })
	err := people.Wait()
	if err == nil {
		err = d.judge(calls)
	}
	if err == nil {
		err = d.branch.judge(calls, d)
	}
	if table, e := d.office.Command(calls, "calls"); e == nil {
		d.say("\nThe call records:\n\n%s", table)
	}
	if err != nil {
		return err
	}
	d.say("The web hook received %d events, every signature right, each once.", len(d.hook.Events()))
	d.addresses()
	return nil
}

// call is what one caller does.
func (d *demo) call(ctx context.Context, c caller) error {
	select {
	case <-time.After(c.after):
	case <-ctx.Done():
		return ctx.Err()
	}
	phone, err := d.office.Bed.Caller(testbed.TrunkName)
	if err != nil {
		return err
	}
	defer phone.Close()
	talk, err := phone.Call(ctx, c.dials, testbed.From(c.name, c.number))
	if err != nil {
		return err
	}
	talk.Speak()
	if err := press(ctx, talk, c.keys); err != nil {
		return err
	}
	if c.disposition == call.AfterHours {
		_, err := talk.WaitEnd(ctx)
		return err
	}
	if c.talks == 0 {
		time.Sleep(2500 * time.Millisecond)
		return talk.Hangup(ctx)
	}
	if err := d.connected(ctx, c.number); err != nil {
		return err
	}
	time.Sleep(c.talks)
	return talk.Hangup(ctx)
}

// connected waits until the caller from that number talks to somebody.
func (d *demo) connected(ctx context.Context, number string) error {
	_, err := d.office.AwaitCalls(ctx, func(all []call.Call) bool {
		for _, c := range all {
			if c.From == number && c.Answered != nil {
				return true
			}
		}
		return false
	})
	return err
}

// press presses keys one by one, as one who listens first; after an "e" the
// rest is dialled in one go.
func press(ctx context.Context, talk *testbed.Conversation, keys string) error {
	for i, k := range keys {
		time.Sleep(1500 * time.Millisecond)
		if k == 'e' {
			return talk.SendDTMF(ctx, keys[i+1:])
		}
		if err := talk.SendDTMF(ctx, string(k)); err != nil {
			return err
		}
	}
	return nil
}

// judge holds the records against the cast.
func (d *demo) judge(ctx context.Context) error {
	complete := func(all []call.Call) bool {
		over := 0
		for _, c := range all {
			if ours(c) && c.Over() && (c.Answered == nil || len(c.Recordings) == 1 && c.Recordings[0].State == "done") {
				over++
			}
		}
		return over >= len(cast())
	}
	all, err := d.office.AwaitCalls(ctx, complete)
	if err != nil {
		return err
	}
	var wrong []error
	for _, want := range cast() {
		wrong = append(wrong, compare(want, all))
	}
	for _, broken := range d.hook.Broken() {
		wrong = append(wrong, errors.New("web hook: "+broken))
	}
	return errors.Join(wrong...)
}

// ours reports whether a call is one of the cast's.
func ours(c call.Call) bool {
	for _, one := range cast() {
		if c.From == one.number {
			return true
		}
	}
	return false
}

func compare(want caller, all []call.Call) error {
	var found []call.Call
	for _, c := range all {
		if c.From == want.number {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("%s has %d call records", want.name, len(found))
	}
	c := found[0]
	if c.Disposition != want.disposition || want.reached != "" && c.Reached != want.reached {
		return fmt.Errorf("%s: the record says %s, reached %q; it should be %s, %q", want.name, c.Disposition, c.Reached, want.disposition, want.reached)
	}
	return nil
}
