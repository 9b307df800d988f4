package asterisk

import (
	"context"
	"sync"
)

// lanes do jobs one after the other for each key, and those of different keys
// side by side. A lane has a goroutine only while it has jobs.
type lanes struct {
	mu    sync.Mutex
	queue map[string][]func(context.Context)
	most  int                         // jobs that may wait in one lane
	spawn func(func(context.Context)) // nil while closed
}

func newLanes(most int) *lanes {
	return &lanes{queue: map[string][]func(context.Context){}, most: most}
}

// run opens the lanes until ctx ends, and returns when the last job has.
func (l *lanes) run(ctx context.Context) {
	var jobs sync.WaitGroup
	l.set(func(job func(context.Context)) { jobs.Go(func() { job(ctx) }) })
	<-ctx.Done()
	l.set(nil)
	jobs.Wait()
}

func (l *lanes) set(spawn func(func(context.Context))) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spawn = spawn
}

// add puts a job at the end of a lane. It says why it did not, or "".
func (l *lanes) add(key string, job func(context.Context)) (refused string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting, working := l.queue[key]
	switch {
	case l.spawn == nil:
		return "not connected to Asterisk"
	case len(waiting) >= l.most:
		return "too many actions wait for this leg"
	}
	l.queue[key] = append(waiting, job)
	if !working {
		l.spawn(func(ctx context.Context) { l.work(ctx, key) })
	}
	return ""
}

// beside does a job at once, outside of any order.
func (l *lanes) beside(job func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spawn != nil {
		l.spawn(job)
	}
}

// work does the jobs of one lane until none is left.
func (l *lanes) work(ctx context.Context, key string) {
	for {
		job := l.next(key)
		if job == nil {
			return
		}
		if ctx.Err() == nil {
			job(ctx)
		}
	}
}

// next takes the first job; with none left the lane is gone.
func (l *lanes) next(key string) func(context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.queue[key]
	if len(waiting) == 0 {
		delete(l.queue, key)
		return nil
	}
	l.queue[key] = waiting[1:]
	return waiting[0]
}
