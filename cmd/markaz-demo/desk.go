package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"markaz/access"
	"markaz/asterisk/testbed"
)

// desk is the people who log in to the dashboard: one password for all, made
// for this demo alone.
type desk struct {
	password, hash string
}

// supervisorPhone is rung when the supervisor listens or dials.
const supervisorPhone = "110"

func newDesk() (desk, error) {
	d := desk{password: rand.Text()[:12]}
	var err error
	d.hash, err = access.HashCost{}.Hash(d.password)
	return d, err
}

// access is the users in the configuration.
func (d desk) access() string {
	return fmt.Sprintf(`
  teams: [{name: sales, queues: [sales]}, {name: support, queues: [support]}]
  users:
    - {name: boss, display: Mina, role: administrator, extensions: [%[2]q], password: %[1]q}
    - {name: lead, display: Leila, role: supervisor, teams: [sales], extensions: ["109"], password: %[1]q}
    - {name: sara, role: agent, teams: [sales], password: %[1]q}
    - {name: olga, role: agent, teams: [support], password: %[1]q, lang: ru}`, d.hash, supervisorPhone)
}

// welcome tells where to log in.
func (d *demo) welcome() {
	d.say(`
The dashboard is at %s
  log in as boss (administrator), lead (supervisor of sales), sara or olga (agents); the password of all is %s
  the phone of boss, %s, answers by itself: click on the headphones beside a call to listen to it
`, d.office.Web(), d.desk.password, supervisorPhone)
}

// goOn lets people call on, so that there is something to see, until ctx ends.
func (d *demo) goOn(ctx context.Context) {
	d.say("\nPeople go on calling; Ctrl-C ends it.")
	var all sync.WaitGroup
	defer all.Wait()
	lines := make(chan struct{}, 4) // calls at once
	tick := time.NewTicker(6 * time.Second)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case lines <- struct{}{}:
		default:
			continue // all are on the phone
		}
		all.Go(func() {
			defer func() { <-lines }()
			if err := d.ring(ctx, i); err != nil && ctx.Err() == nil {
				d.say("A call went wrong: %v", err)
			}
		})
	}
}

// ring is a call of one of many people: to sales or support, short or long;
// now and then one who gives up.
func (d *demo) ring(ctx context.Context, i int) error {
	names := []string{"Ali", "Parisa", "Иван", "王伟", "شرکت آریا", "Emre", "Daniel", "Neda"}
	phone, err := d.office.Bed.Caller(testbed.TrunkName)
	if err != nil {
		return err
	}
	defer phone.Close()
	talk, err := phone.Call(ctx, "02100000000", testbed.From(names[i%len(names)], fmt.Sprintf("0912%07d", 1000000+i*7919%8999999)))
	if err != nil {
		return err
	}
	talk.Speak()
	if err := press(ctx, talk, string("12"[i%2])); err != nil {
		return err
	}
	stays := time.Duration(14+i*11%37) * time.Second
	if i%6 == 5 {
		stays = 5 * time.Second
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(stays):
	}
	_ = talk.Hangup(ctx) // the agent may have been quicker
	return nil
}

// answer has the supervisor's phone answer by itself.
func (d *demo) answer(ctx context.Context) error {
	p, err := d.office.Bed.Phone(supervisorPhone)
	if err != nil {
		return err
	}
	d.phones = append(d.phones, p)
	p.OnCall(testbed.AnswerAfter(time.Second))
	return p.Register(ctx)
}
