package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"markaz/legacy"
	"markaz/legacy/monitor"
	"markaz/legacy/smdr"
)

type parseCmd struct {
	Model    string `help:"Model of a Panasonic exchange." placeholder:"KX-TDA200"`
	Date     string `help:"Order of its dates." placeholder:"DD/MM/YY"`
	Jalali   bool   `help:"Its clock was set in Jalali digits."`
	Charset  string `help:"Its character set: utf-8, latin1, cp437, cp866, windows-1251, windows-1256, koi8-r." default:"latin1"`
	Profile  string `help:"Profile of a line monitor: a name that is shipped, or a file."`
	SevenBit bool   `name:"seven-bits" help:"The eighth bit means nothing."`
}

// Run prints one JSON object for each record, in the order of the bytes.
func (p parseCmd) Run(con console) error {
	out := bufio.NewWriter(con.out)
	defer out.Flush()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	switch {
	case (p.Model == "") == (p.Profile == ""):
		return exit(exitConfig, "want either --model with --date, or --profile")
	case p.Profile != "":
		return frames(con, enc, p.Profile)
	}
	return p.records(con, enc)
}

func (p parseCmd) records(con console, enc *json.Encoder) error {
	family, err := smdr.FamilyOf(p.Model)
	if err != nil {
		return exit(exitConfig, "%w", err)
	}
	order, err := smdr.ParseDateOrder(p.Date)
	if err != nil {
		return exit(exitConfig, "%w", err)
	}
	decode, err := legacy.Decoder(p.Charset)
	if err != nil {
		return exit(exitConfig, "charset: %w", err)
	}
	parser := smdr.Parser{Family: family, Order: order}
	if p.Jalali {
		parser.Calendar = smdr.Jalali
	}
	others, badDates := map[string]int{}, 0
	var failed error
	var r smdr.Record
	line := func(f smdr.Frame) {
		dated := parser.Parse(f.Line, &r)
		if r.Kind == smdr.KindBadDate {
			badDates++
		}
		if dated || r.Kind == smdr.KindHeader || r.Kind == smdr.KindUnknown || r.Kind == smdr.KindBadDate {
			failed = errors.Join(failed, enc.Encode(smdr.FormOf(&r, decode)))
		} else if r.Kind != smdr.KindBlank {
			others[r.Kind.String()]++
		}
	}
	framer, lines := smdr.Framer{SevenBits: p.SevenBit}, smdr.Lines{Parser: parser}
	add := func(f smdr.Frame) { lines.Add(f, line) }
	err = pieces(con.in, func(b []byte) { framer.Write(b, add) })
	framer.Flush(add)
	lines.Flush(line)
	for _, kind := range slices.Sorted(maps.Keys(others)) {
		fmt.Fprintf(con.err, "no record: %d of %s\n", others[kind], kind)
	}
	if badDates > 0 {
		fmt.Fprintf(con.err, "bad_date: %d lines have a date that is impossible as %s; try another --date\n", badDates, order)
	}
	return errors.Join(err, failed)
}

// pieces reads to the end.
func pieces(in io.Reader, take func([]byte)) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		take(buf[:n])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}

// frame is a line monitor's frame in the form of a record, with what only
// such a device tells.
type frame struct {
	smdr.Form
	Event string `json:"event"`
	Line  string `json:"line,omitempty"` // not of an unknown frame
	Digit string `json:"digit,omitempty"`
	Count int    `json:"count,omitempty"`
	Raw   string `json:"raw,omitempty"` // of an unknown frame
}

func frames(con console, enc *json.Encoder, name string) error {
	p, err := findProfile(name)
	if err != nil {
		return exit(exitConfig, "%w", err)
	}
	var failed error
	f := former{profile: p, lines: map[string]*lineCall{}}
	cut := monitor.NewCutter(p.Frame)
	take := func(_, b []byte) {
		if len(b) > 0 {
			failed = errors.Join(failed, enc.Encode(f.form(p.Match(time.Now(), b), b)))
		}
	}
	err = pieces(con.in, func(b []byte) { cut.Write(b, take) })
	cut.Flush(take)
	return errors.Join(err, failed)
}

// former remembers what the frames before have told of a line.
type former struct {
	profile *monitor.Profile
	lines   map[string]*lineCall
}

type lineCall struct {
	number, name  string
	dialled       string // what was pressed or told since the handset was lifted
	hidden, rings bool
}

func (f *former) form(s monitor.Signal, raw []byte) frame {
	c := f.lines[s.Line]
	if c == nil {
		c = &lineCall{}
		f.lines[s.Line] = c
	}
	out := frame{Event: string(s.Event), Line: s.Line, Digit: s.Digit, Count: s.Count}
	out.Kind, out.Direction, out.Hidden, out.Trunk = string(s.Event), "none", s.Restricted, &s.Line
	number, name := s.Number, s.Name
	switch s.Event {
	case monitor.CID, monitor.Ring:
		c.rings = true
		if s.Event == monitor.CID {
			c.number, c.name, c.hidden = s.Number, s.Name, s.Restricted
		}
		out.Kind, out.Direction, number, name, out.Hidden = "ring", "in", c.number, c.name, c.hidden
	case monitor.OffHook, monitor.Answer:
		out.Direction, number = "out", s.Dialled
		c.dialled = s.Dialled
		if c.rings && s.Dialled == "" {
			out.Kind, out.Direction, number, name, out.Hidden = "answer", "in", c.number, c.name, c.hidden
		}
	case monitor.Digit:
		c.dialled += s.Digit
	case monitor.OnHook, monitor.Missed:
		number = c.end(s, &out)
		if out.Direction == "in" {
			name, out.Hidden = c.name, c.hidden
		}
		*c = lineCall{}
	case monitor.Unknown:
		out.Raw, out.Line, out.Trunk = string(raw), "", nil
	}
	out.Number, out.Name, out.Duration = text(number), text(name), f.profile.Seconds(s.Printed)
	if !s.Stamp.IsZero() {
		out.Start = text(s.Stamp.Format("2006-01-02T15:04:05"))
	}
	return out
}

// end says what ended with a frame, and returns the number of the other party:
// a call, or nothing where a handset was only lifted and put down.
func (c *lineCall) end(s monitor.Signal, out *frame) (number string) {
	dialled := s.Dialled
	if dialled == "" && !c.rings {
		dialled = c.dialled
	}
	missed := s.Event == monitor.Missed
	switch {
	case missed || c.rings && dialled == "":
		out.Kind, out.Direction, out.Missed = "call", "in", &missed
		return c.number
	case dialled != "":
		out.Kind, out.Direction = "call", "out"
	}
	return dialled
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func findProfile(name string) (*monitor.Profile, error) {
	if strings.ContainsAny(name, `./\`) {
		return legacy.ReadProfile(name)
	}
	return monitor.Shipped(name)
}

type profileCmd struct {
	List profileListCmd `cmd:"" help:"List the profiles that are shipped."`
	Test profileTestCmd `cmd:"" help:"Show which rule matches every frame of a capture on standard input."`
}

type profileTestCmd struct {
	File string `arg:"" help:"A profile: a file, or a name that is shipped."`
}

// Run shows the match of every frame; it fails when one matches no rule.
func (t profileTestCmd) Run(con console) error {
	p, err := findProfile(t.File)
	if err != nil {
		return exit(exitConfig, "%w", err)
	}
	all, unknown := 0, 0
	cut := monitor.NewCutter(p.Frame)
	take := func(_, b []byte) {
		if len(b) == 0 {
			return
		}
		s := p.Match(time.Now(), b)
		all++
		if s.Event == monitor.Unknown {
			unknown++
		}
		fmt.Fprintf(con.out, "%-40q rule %2d  %s\n", b, s.Rule, s)
	}
	err = pieces(con.in, func(b []byte) { cut.Write(b, take) })
	cut.Flush(take)
	fmt.Fprintf(con.err, "%d frames, %d unknown\n", all, unknown)
	if err == nil && unknown > 0 {
		err = exit(exitFailure, "%d frames match no rule", unknown)
	}
	return err
}

type importCmd struct {
	Source string   `required:"" help:"Key of the source that the logs are of."`
	Files  []string `arg:"" type:"existingfile" help:"Old logs."`
}

func openFile(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}
