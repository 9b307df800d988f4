package apps

import (
	"container/heap"
	"time"
)

// timers are the loop's alarms: at most one for each call and id, the earliest
// first. Setting and firing cost O(log n).
type timers struct {
	heap   timerHeap
	byCall map[string]map[string]*timer
}

type timer struct {
	call, id string
	at       time.Time
	index    int // in the heap
}

func newTimers() timers { return timers{byCall: map[string]map[string]*timer{}} }

func (t *timers) set(call, id string, at time.Time) {
	if old := t.byCall[call][id]; old != nil {
		old.at = at
		heap.Fix(&t.heap, old.index)
		return
	}
	if t.byCall[call] == nil {
		t.byCall[call] = map[string]*timer{}
	}
	n := &timer{call: call, id: id, at: at}
	t.byCall[call][id] = n
	heap.Push(&t.heap, n)
}

func (t *timers) cancel(call, id string) {
	if old := t.byCall[call][id]; old != nil {
		heap.Remove(&t.heap, old.index)
		t.forget(old)
	}
}

// drop cancels every timer of a call.
func (t *timers) drop(call string) {
	for _, old := range t.byCall[call] {
		heap.Remove(&t.heap, old.index)
	}
	delete(t.byCall, call)
}

func (t *timers) forget(old *timer) {
	delete(t.byCall[old.call], old.id)
	if len(t.byCall[old.call]) == 0 {
		delete(t.byCall, old.call)
	}
}

// due takes out what has come due.
func (t *timers) due(now time.Time) []*timer {
	var out []*timer
	for len(t.heap) > 0 && !t.heap[0].at.After(now) {
		n := heap.Pop(&t.heap).(*timer)
		t.forget(n)
		out = append(out, n)
	}
	return out
}

// wait is the time until the next alarm; an hour when there is none.
func (t *timers) wait(now time.Time) time.Duration {
	if len(t.heap) == 0 {
		return time.Hour
	}
	return max(0, t.heap[0].at.Sub(now))
}

type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *timerHeap) Push(x any) {
	n := x.(*timer)
	n.index = len(*h)
	*h = append(*h, n)
}

// Pop implements heap.Interface.
func (h *timerHeap) Pop() any {
	old := *h
	n := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return n
}
