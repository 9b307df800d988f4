package hub

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"sync"

	"markaz/access"
	"markaz/apps/dashboard/board"
)

// item is a row as pages get it.
type item struct {
	key    string
	full   []byte // nil: gone
	bare   []byte
	see    []access.Target // calls that one must see to be given full
	board  access.Target   // what one must be let to look at to be given bare
	states bool            // bare, or full where no call is concerned, is of a person or queue
	person string          // for this one alone
	before *item           // as pages knew it before; not its own before
}

func newItem(r board.Row) *item {
	it := &item{key: r.Key, person: r.For}
	if r.Body == nil {
		return it
	}
	it.full = encode(r.Key, r.Body)
	if r.Bare != nil {
		it.bare = it.full
		if len(r.Calls) > 0 {
			it.bare = encode(r.Key, r.Bare)
		}
	}
	for _, c := range r.Calls {
		it.see = append(it.see, access.OfCall(c))
	}
	switch {
	case r.Ext != "":
		it.states, it.board = true, access.Target{Extensions: []string{r.Ext}}
		if r.Agent != "" {
			it.board.Agents = []string{r.Agent}
		}
		if x, ok := r.Body.(board.Extension); ok {
			it.board.Queues = x.Queues
		}
	case r.Queue != "":
		it.states, it.board = true, access.OfQueue(r.Queue)
	}
	return it
}

// encode writes {"key":…,"row":…}.
func encode(key string, row any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	b.WriteString(`{"key":`)
	_ = e.Encode(key) // strings and plain structs always encode
	b.Truncate(b.Len() - 1)
	if row != nil {
		b.WriteString(`,"row":`)
		_ = e.Encode(row)
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// of is what a viewer gets of an item; nil if nothing.
func (it *item) of(v *Viewer) []byte {
	switch {
	case it.full == nil || it.person != "" && it.person != v.Name:
		return nil
	case it.person != "":
		return it.full
	case len(it.see) > 0 && v.seesAll(it.see):
		return it.full
	case len(it.see) > 0 && it.bare == nil:
		return nil
	case it.states && !v.Board.True(it.board), v.Board.Nothing():
		return nil
	case it.bare != nil:
		return it.bare
	}
	return it.full
}

// change is what a viewer is told when an item has become this.
func (it *item) change(v *Viewer) []byte {
	if now := it.of(v); now != nil {
		return now
	}
	if it.before != nil && it.before.of(v) != nil {
		return encode(it.key, nil)
	}
	return nil
}

// frame is a message: what changed from one revision to the next.
type frame struct {
	rev   uint64
	items []*item
	words bool          // some are for one person alone
	next  *frame        // set before ready is closed
	ready chan struct{} // closed when there is a next one

	mu   sync.Mutex
	made map[string][]byte // by class
}

func newFrame(rev uint64) *frame { return &frame{rev: rev, ready: make(chan struct{})} }

// publish makes a frame of rows that changed.
func (h *Hub) publish(rows []board.Row) {
	if len(rows) == 0 {
		return
	}
	items := make([]*item, 0, len(rows))
	for _, r := range rows {
		it := newItem(r)
		if old := h.items[r.Key]; old != nil {
			same := bytes.Equal(old.full, it.full) && bytes.Equal(old.bare, it.bare)
			if same && !moved(old, it) {
				continue
			}
			past := *old
			past.before = nil
			it.before = &past
		} else if it.full == nil {
			continue
		}
		items = append(items, it)
	}
	if len(items) > 0 {
		h.append(items)
	}
}

// moved reports whether who may see an item has changed though its text has not.
func moved(a, b *item) bool {
	return !slices.EqualFunc(a.see, b.see, func(x, y access.Target) bool {
		return x.Profile == y.Profile && slices.Equal(x.Extensions, y.Extensions) && slices.Equal(x.Agents, y.Agents) &&
			slices.Equal(x.Queues, y.Queues) && slices.Equal(x.Present, y.Present)
	})
}

func (h *Hub) append(items []*item) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rev++
	f := newFrame(h.rev)
	f.items = items
	for _, it := range items {
		f.words = f.words || it.person != "" || it.before != nil && it.before.person != ""
		if it.full == nil {
			delete(h.items, it.key)
			continue
		}
		h.items[it.key] = it
	}
	clear(h.snapshot)
	h.frames = append(h.frames, f)
	if len(h.frames) > kept {
		h.frames = slices.Delete(h.frames, 0, len(h.frames)-kept)
	}
	end := h.last
	h.last = f
	end.next = f
	close(end.ready)
}

// replace shows another board in place of the one before.
func (h *Hub) replace(b *board.Board) {
	rows := b.Take()
	known := map[string]bool{}
	for _, r := range rows {
		known[r.Key] = true
	}
	for key := range h.items {
		if !known[key] {
			rows = append(rows, board.Row{Key: key})
		}
	}
	h.publish(rows)
	h.mu.Lock()
	h.loading = false
	clear(h.snapshot)
	h.mu.Unlock()
}

// text is the frame's message for a viewer; empty if it does not concern him.
func (f *frame) text(h *Hub, v *Viewer) []byte {
	class := v.class
	if f.words {
		class = v.own()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if text, ok := f.made[class]; ok {
		return text
	}
	var b bytes.Buffer
	for _, it := range f.items {
		row := it.change(v)
		if row == nil {
			continue
		}
		if b.Len() == 0 {
			h.begin(&b, f.rev, `"change"`)
		} else {
			b.WriteByte(',')
		}
		b.Write(row)
	}
	if b.Len() > 0 {
		b.WriteString("]}\n\n")
	}
	if f.made == nil {
		f.made = map[string][]byte{}
	}
	f.made[class] = b.Bytes()
	return b.Bytes()
}

// begin writes the head of a message; JSON holds no line breaks of its own.
func (h *Hub) begin(b *bytes.Buffer, rev uint64, what string) {
	b.WriteString("id: ")
	b.WriteString(h.id(rev))
	b.WriteString("\ndata: {\"t\":")
	b.WriteString(what)
	b.WriteString(`,"now":`)
	b.WriteString(strconv.FormatInt(h.dep.Now().UnixMilli(), 10))
	b.WriteString(`,"rows":[`)
}

// full is a snapshot for a viewer, and the frame after which to go on.
func (h *Hub) full(v *Viewer) ([]byte, *frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if text, ok := h.snapshot[v.own()]; ok {
		return text, h.last
	}
	var b bytes.Buffer
	what := `"snapshot"`
	if h.loading {
		what = `"loading"`
	}
	h.begin(&b, h.rev, what)
	h.rows(&b, v)
	b.WriteString("]}\n\n")
	h.snapshot[v.own()] = b.Bytes()
	return b.Bytes(), h.last
}

func (h *Hub) rows(b *bytes.Buffer, v *Viewer) {
	first := true
	for _, key := range slices.Sorted(maps.Keys(h.items)) {
		row := h.items[key].of(v)
		if row == nil {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.Write(row)
	}
}

// Snapshot is what a viewer sees now, as JSON: {"id":…,"rows":[…]}. The id may
// be given to the stream to go on from there.
func (h *Hub) Snapshot(v Viewer) []byte {
	v.prepare()
	h.mu.Lock()
	defer h.mu.Unlock()
	var b bytes.Buffer
	b.WriteString(`{"id":"` + h.id(h.rev) + `","now":` + strconv.FormatInt(h.dep.Now().UnixMilli(), 10) + `,"rows":[`)
	h.rows(&b, &v)
	b.WriteString("]}")
	return b.Bytes()
}

// after finds the frame of a revision, from which to go on; nil if it is not
// kept any more.
func (h *Hub) after(rev uint64) *frame {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.loading:
		return nil
	case rev == h.rev:
		return h.last
	case len(h.frames) == 0 || rev < h.frames[0].rev || rev > h.rev:
		return nil
	}
	return h.frames[rev-h.frames[0].rev]
}
