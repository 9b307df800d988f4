package observe

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"markaz/call"
)

// record is one line of Asterisk's cdr_csv: one attempt to connect two
// channels. See cdr_csv.c: 16 columns, then uniqueid and userfield if cdr.conf
// says so, then peeraccount, linkedid and sequence with newcdrcolumns.
type record struct {
	src, dst, name   string
	channel, partner string
	app, context     string
	start, end       time.Time
	answer           time.Time // zero if nobody did
	disposition      string
	unique, linked   string
}

// tail is how much of the end of the file is read: some ten thousand records.
const tail = 4 << 20

// readRecords reads the records that ended at or after since, also those of
// the file that was rotated away (.1), if they may reach so far back. A line
// that cannot be read is passed over and counted; a last one without its end
// is still being written.
func readRecords(path string, zone *time.Location, since time.Time) (list []record, bad int, err error) {
	text, whole, err := readTail(path)
	if err != nil {
		return nil, 0, err
	}
	all, bad := parseRecords(text, zone)
	if whole && (len(all) == 0 || !all[0].end.Before(since)) {
		if text, _, err := readTail(path + ".1"); err == nil {
			older, unread := parseRecords(text, zone)
			all, bad = append(older, all...), bad+unread
		}
	}
	return slices.DeleteFunc(all, func(r record) bool { return r.end.Before(since) }), bad, nil
}

// readTail reads the complete lines at the end of a file, and says whether
// these are all.
func readTail(path string) (text []byte, whole bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("open call detail records: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("open call detail records: %w", err)
	}
	skip := max(0, info.Size()-tail)
	if _, err := f.Seek(skip, io.SeekStart); err != nil {
		return nil, false, fmt.Errorf("read call detail records: %w", err)
	}
	if text, err = io.ReadAll(io.LimitReader(f, tail)); err != nil {
		return nil, false, fmt.Errorf("read call detail records: %w", err)
	}
	if skip > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text[:bytes.LastIndexByte(text, '\n')+1], skip == 0, nil
}

func parseRecords(text []byte, zone *time.Location) (list []record, bad int) {
	in := csv.NewReader(bytes.NewReader(text))
	in.FieldsPerRecord, in.LazyQuotes, in.ReuseRecord = -1, true, true
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return list, bad
		}
		r, ok := record{}, false
		if err == nil {
			r, ok = parseRecord(row, zone)
		}
		if !ok {
			bad++
			continue
		}
		list = append(list, r)
	}
}

// uniqueID is what Asterisk itself calls a channel.
var uniqueID = regexp.MustCompile(`^([\w-]+-)?\d+\.\d+$`)

// parseRecord reads a line of cdr_csv, or of cdr_custom as its sample
// configuration writes it: clid first, accountcode after amaflags.
func parseRecord(row []string, zone *time.Location) (r record, ok bool) {
	if len(row) < 16 || len(row) > 21 {
		return r, false
	}
	at := func(text string) time.Time {
		t, err := time.ParseInLocation(time.DateTime, text, zone)
		if err != nil {
			return time.Time{}
		}
		return t.UTC()
	}
	if custom := !at(row[8]).IsZero(); custom {
		row = slices.Concat([]string{row[15], row[1], row[2], row[3], row[0]}, row[4:15], row[16:min(len(row), 18)])
	}
	r = record{
		src: call.Clean(row[1], 64), dst: call.Clean(row[2], 64), name: call.Clean(row[4], 120),
		channel: call.Clean(row[5], 160), partner: call.Clean(row[6], 160), app: call.Clean(row[7], 40), context: call.Clean(row[3], 80),
		start: at(row[9]), answer: at(row[10]), end: at(row[11]), disposition: strings.Clone(row[14]),
	}
	n := len(row)
	if n != 16 && n != 19 && (uniqueID.MatchString(row[16]) || ourChannel.MatchString(row[16])) {
		r.unique = strings.Clone(row[16])
	}
	if n >= 19 && uniqueID.MatchString(row[n-2]) { // newcdrcolumns
		r.linked = strings.Clone(row[n-2])
	}
	return r, !r.start.IsZero() && !r.end.IsZero()
}

// group puts the records of one conversation together: by linked id where
// there is one, else by unique id and by the names of Local channels.
func group(list []record) [][]record {
	of := map[string]int{}
	var groups [][]record
	for _, r := range list {
		at := -1
		keys := keysOf(r)
		for _, k := range keys {
			if g, ok := of[k]; ok && at < 0 {
				at = g
			} else if ok && g != at {
				groups[at] = append(groups[at], groups[g]...)
				groups[g] = nil
				for key, old := range of {
					if old == g {
						of[key] = at
					}
				}
			}
		}
		if at < 0 {
			at = len(groups)
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], r)
		for _, k := range keys {
			of[k] = at
		}
	}
	groups = slices.DeleteFunc(groups, func(g []record) bool { return len(g) == 0 })
	for _, g := range groups {
		slices.SortStableFunc(g, func(a, b record) int { return a.start.Compare(b.start) })
	}
	return groups
}

func keysOf(r record) (keys []string) {
	for _, k := range []string{r.linked, r.unique} {
		if k != "" {
			keys = append(keys, k)
		}
	}
	for _, name := range []string{r.channel, r.partner} {
		if strings.HasPrefix(name, "Local/") {
			pair, _, _ := strings.Cut(name, ";")
			keys = append(keys, pair)
		} else if name != "" && r.unique == "" {
			keys = append(keys, name)
		}
	}
	return keys
}

// takenOver tells a call that nobody watched, from its records. Rings, keys and
// queues are not in them; that is not made up. Its id and those of its events
// follow from the records: taken over twice, it is one call.
func (m *Machine) takenOver(list []record) []call.Event {
	first := list[0]
	for _, r := range list {
		if !strings.HasPrefix(first.channel, "Local/") {
			break
		}
		first = r
	}
	key := cmp.Or(first.linked, first.unique, first.channel+first.start.String())
	t := &taking{m: m, id: m.callID(key, first.start), key: key}
	caller := &channel{id: cmp.Or(first.unique, t.id+"-a")}
	m.names.identify(caller, first.channel)
	e := call.Event{
		Kind: call.CallStarted, Leg: caller.id, At: first.start, Ref: key, Role: call.RoleCaller, Trunk: caller.trunk,
		From: cmp.Or(caller.address, first.src), To: digitsOf(first.dst), Caps: m.caps(), Direction: call.Outbound, Origin: call.PSTN,
	}
	e.Address, e.Agent = e.From, m.cfg.Agents[e.From]
	switch {
	case caller.sort == trunk:
		e.Direction = call.Inbound // dst is where it was sent, which is no DID
	case m.names.internal.MatchString(first.dst):
		e.Direction, e.Origin = call.Internal, ""
	}
	t.say(e)
	end := t.partners(list)
	if answered := earliest(list); !answered.IsZero() {
		t.say(call.Event{Kind: call.LegAnswered, Leg: caller.id, At: answered, Role: call.RoleCaller})
	}
	for _, p := range t.joined {
		t.say(call.Event{Kind: call.LegJoined, Leg: caller.id, At: p, Role: call.RoleCaller})
		break
	}
	slices.SortStableFunc(t.out, func(a, b call.Event) int { return a.At.Compare(b.At) })
	t.say(call.Event{Kind: call.LegEnded, Leg: caller.id, At: end, Role: call.RoleCaller, By: call.BySystem, Result: t.callerResult(), Cause: call.CauseNormal})
	return t.out
}

func earliest(list []record) (t time.Time) {
	for _, r := range list {
		if !r.answer.IsZero() && (t.IsZero() || r.answer.Before(t)) {
			t = r.answer
		}
	}
	return t
}

// taking builds the events of one call that was not watched.
type taking struct {
	m       *Machine
	id, key string
	out     []call.Event
	joined  []time.Time
}

func (t *taking) say(e call.Event) {
	e.Call = t.id
	e = t.m.stamped(e)
	e.Live = false
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", t.m.cfg.Source, t.key, e.Kind, len(t.out)))
	e.ID, e.GrainMS = call.NewID(e.At, [10]byte(sum[:10])), 1000
	t.out = append(t.out, e)
}

func (t *taking) callerResult() call.Result {
	if len(t.joined) > 0 {
		return call.Answered
	}
	return call.NoAnswer
}

// partners tells of the parties that were called, and returns when the last
// record ended.
func (t *taking) partners(list []record) (end time.Time) {
	for i, r := range list {
		if r.end.After(end) {
			end = r.end
		}
		c := &channel{id: t.id + "-b" + strconv.Itoa(i)}
		if r.partner == "" || strings.HasPrefix(r.partner, "Local/") {
			continue
		}
		t.m.names.identify(c, r.partner)
		if !c.party() {
			continue
		}
		if c.sort == trunk {
			c.address = digitsOf(r.dst)
		}
		t.partner(c, r)
	}
	return end
}

func (t *taking) partner(c *channel, r record) {
	role := t.m.role(c)
	say := func(e call.Event) {
		e.Leg, e.Role, e.Address, e.Trunk, e.Agent = c.id, role, c.address, c.trunk, t.m.cfg.Agents[c.address]
		t.say(e)
	}
	say(call.Event{Kind: call.LegRinging, At: r.start})
	result := map[string]call.Result{"ANSWERED": call.Answered, "BUSY": call.Busy, "FAILED": call.Failed, "CONGESTION": call.Failed}[r.disposition]
	if result == call.Answered && !r.answer.IsZero() {
		say(call.Event{Kind: call.LegAnswered, At: r.answer})
		if len(t.joined) == 0 && role.Person() {
			say(call.Event{Kind: call.CallAnswered, At: r.answer})
		}
		say(call.Event{Kind: call.LegJoined, At: r.answer})
		t.joined = append(t.joined, r.answer)
	}
	say(call.Event{Kind: call.LegEnded, At: r.end, Result: cmp.Or(result, call.NoAnswer), By: call.BySystem})
}
