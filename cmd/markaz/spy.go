package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"markaz/apps"
	"markaz/apps/clicktocall"
	"markaz/apps/control"
	"markaz/apps/spy"
	"markaz/call"
	"markaz/ivr"
)

// requests makes the applications that serve what people ask for: to listen,
// to dial, to hang up and transfer.
func (s *server) requests(book *ivr.Book) []apps.Machine {
	open := func(time.Time) bool { return true }
	if hours, ok := book.Hours(s.cfg.ClickToCall.Hours); ok {
		open = hours.Open
	}
	queues := map[string]bool{}
	for _, q := range s.cfg.Floor.Queues {
		queues[q.Name] = true
	}
	guard := clicktocall.NewGuard(s.cfg.ClickToCall, s.numbers, open)
	return []apps.Machine{
		clicktocall.New(s.cfg.ClickToCall, guard),
		control.New(places{guard, queues}),
		spy.New(s.cfg.Spy, func(address string) bool { return s.numbers.agents[address] }),
	}
}

// places are where calls can be transferred to.
type places struct {
	*clicktocall.Guard
	queues map[string]bool
}

// Queue implements control.Places.
func (p places) Queue(name string) bool { return p.queues[name] }

// validateRequests checks the parts of the configuration that are for people's
// requests.
func (c *config) validateRequests() error {
	var errs []error
	part := func(key string, err error) {
		if err != nil {
			errs = append(errs, under(key, err))
		}
	}
	if c.ClickToCall.Trunk == "" {
		c.ClickToCall.Trunk = c.Inbound.Trunk
	}
	part("spy", c.Spy.Validate())
	part("clicktocall", c.ClickToCall.Validate())
	part("numbers", c.Numbers.Validate())
	if h := c.ClickToCall.Hours; h != "" {
		if _, ok := c.IVR.Hours[h]; !ok {
			part("clicktocall", fmt.Errorf("hours: there are no ivr.hours %q", h))
		}
	}
	return errors.Join(errs...)
}

// audible adds to an observed call what the observer cannot know: that the
// switch can let supervisors listen to any channel of the PBX.
func audible(e call.Event) call.Event {
	if e.Kind == call.CallStarted {
		e.Caps = append(slices.Clip(e.Caps), call.CapSpy)
	}
	return e
}
