package hub

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"markaz/access"
)

// Viewer is one who looks.
type Viewer struct {
	Name  string
	See   access.Condition // calls that he sees
	Board access.Condition // persons and queues whose state he sees

	class string
}

// ViewOf is what a user may see.
func ViewOf(u *access.User) Viewer {
	return Viewer{Name: u.Name, See: u.Covers(access.See), Board: u.Covers(access.Board)}
}

// prepare finds the class: what is made for one of it is good for all, but for
// words to one person alone, see frame.class.
func (v *Viewer) prepare() { v.class = v.See.Key() + v.Board.Key() }

// own is the class of this one person.
func (v *Viewer) own() string { return v.class + v.Name }

func (v *Viewer) seesAll(calls []access.Target) bool {
	for _, c := range calls {
		if !v.See.True(c) {
			return false
		}
	}
	return true
}

// recheck is how often it is looked whether a user may still see what he sees.
const recheck = 20 * time.Second

// Stream serves server-sent events until the client goes, does not read, or
// may see nothing any more. Who is asked at the beginning and from time to
// time; it returns false when the user is not let in any more.
func (h *Hub) Stream(w http.ResponseWriter, r *http.Request, who func() (Viewer, bool)) {
	v, ok := who()
	if !ok || h.readers.Add(1) > int64(h.cfg.Readers) {
		if ok {
			h.readers.Add(-1)
		}
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many open pages", http.StatusServiceUnavailable)
		return
	}
	defer h.readers.Add(-1)
	v.prepare()
	head := w.Header()
	head.Set("Content-Type", "text/event-stream; charset=utf-8")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // nginx passes it on at once
	p := page{h: h, w: w, out: http.NewResponseController(w), viewer: v, who: who}
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.URL.Query().Get("after")
	}
	p.run(r.Context(), id)
}

// Readers is how many streams are open.
func (h *Hub) Readers() int { return int(h.readers.Load()) }

// page is one open stream.
type page struct {
	h      *Hub
	w      http.ResponseWriter
	out    *http.ResponseController
	viewer Viewer
	who    func() (Viewer, bool)
	at     *frame // the last that it was given
	buf    bytes.Buffer
}

func (p *page) run(ctx context.Context, id string) {
	p.buf.WriteString("retry: 400\n\n")
	if rev, err := p.h.parse(id); err == nil {
		p.at = p.h.after(rev)
	}
	if p.at == nil {
		p.snapshot()
	} else {
		p.collect()
		p.beat()
	}
	if p.flush() != nil {
		return
	}
	beat := time.NewTicker(p.h.cfg.Heartbeat)
	defer beat.Stop()
	look := time.NewTicker(recheck)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.h.ended:
			return
		case <-p.at.ready:
			p.collect()
		case <-beat.C:
			p.beat()
		case <-look.C:
			if !p.look() {
				return
			}
		}
		if p.flush() != nil {
			return
		}
	}
}

// collect takes whatever has come since; a long backlog becomes a snapshot.
func (p *page) collect() {
	for {
		select {
		case <-p.at.ready:
		default:
			return
		}
		if p.buf.Len() > backlog {
			p.buf.Reset()
			p.snapshot()
			return
		}
		p.at = p.at.next
		p.buf.Write(p.at.text(p.h, &p.viewer))
	}
}

func (p *page) snapshot() {
	text, at := p.h.full(&p.viewer)
	p.buf.Write(text)
	p.at = at
}

// beat shows the page that what it has is not old, though nothing changed.
func (p *page) beat() {
	p.buf.WriteString("event: beat\ndata: ")
	p.buf.WriteString(strconv.FormatInt(p.h.dep.Now().UnixMilli(), 10))
	p.buf.WriteString("\n\n")
}

// look asks whether the user may still see what he sees.
func (p *page) look() bool {
	v, ok := p.who()
	if !ok {
		p.buf.WriteString("event: bye\ndata: {}\n\n")
		_ = p.flush() // he is shown out anyway
		return false
	}
	v.prepare()
	if v.class != p.viewer.class {
		p.viewer = v
		p.snapshot()
	}
	return true
}

// flush writes what was collected. Who does not read it is cut off.
func (p *page) flush() error {
	if p.buf.Len() == 0 {
		return nil
	}
	if err := p.out.SetWriteDeadline(time.Now().Add(p.h.cfg.Patience)); err != nil {
		return err
	}
	if _, err := p.w.Write(p.buf.Bytes()); err != nil {
		return err
	}
	p.buf.Reset()
	return p.out.Flush()
}
