package crm

import (
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"

	"markaz/call"
)

// Keeper holds the records of the calls that a sink is being told about. It
// remembers the most recent ones only; a call that it meets in the middle,
// after a restart or because another process told the first part, is looked up
// in the log.
type Keeper struct {
	history History
	max     int

	mu    sync.Mutex
	calls map[string]*list.Element // of *call.Call
	used  *list.List               // most recently used first
}

// NewKeeper makes a keeper of at most max calls.
func NewKeeper(max int, history History) *Keeper {
	return &Keeper{history: history, max: max, calls: map[string]*list.Element{}, used: list.New()}
}

// Fold returns the record of the event's call as it stood right after the
// event, however often and after whatever it is asked. An event of no call
// gives a zero record.
func (k *Keeper) Fold(ctx context.Context, e call.Event) (call.Call, error) {
	if e.Call == "" {
		return call.Call{}, nil
	}
	if c, ok := k.next(e); ok {
		return c, nil
	}
	events, err := k.history(ctx, e.Call)
	if err != nil {
		return call.Call{}, fmt.Errorf("look up events of call: %w", err)
	}
	c := &call.Call{ID: e.Call}
	for _, past := range events {
		// Without a number is what was learnt when the call was forgotten.
		if past.Seq <= e.Seq || e.Seq == 0 && past.ID != e.ID {
			c.Apply(past)
		}
	}
	c.Apply(e)
	k.keep(c)
	return clone(c), nil
}

// next is the way of all but the odd event: the first of its call, the one
// after the last seen, or the last seen once more.
func (k *Keeper) next(e call.Event) (call.Call, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	item := k.calls[e.Call]
	if item == nil {
		if e.Seq != 1 {
			return call.Call{}, false
		}
		c := &call.Call{ID: e.Call}
		c.Apply(e)
		k.put(c)
		return clone(c), true
	}
	c := item.Value.(*call.Call)
	switch e.Seq {
	case c.Seq + 1:
		c.Apply(e)
	case c.Seq:
	default:
		return call.Call{}, false
	}
	k.used.MoveToFront(item)
	return clone(c), true
}

// keep takes over a record that was looked up, unless a later one is there.
func (k *Keeper) keep(c *call.Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if item := k.calls[c.ID]; item != nil {
		if item.Value.(*call.Call).Seq < c.Seq {
			item.Value = c
		}
		return
	}
	k.put(c)
}

func (k *Keeper) put(c *call.Call) {
	k.calls[c.ID] = k.used.PushFront(c)
	for len(k.calls) > k.max {
		oldest := k.used.Remove(k.used.Back()).(*call.Call)
		delete(k.calls, oldest.ID)
	}
}

// clone copies what a later Apply would change in place.
func clone(c *call.Call) call.Call {
	out := *c
	out.Legs = slices.Clone(c.Legs)
	out.Menus = slices.Clone(c.Menus)
	out.Queues = slices.Clone(c.Queues)
	out.Recordings = slices.Clone(c.Recordings)
	return out
}
