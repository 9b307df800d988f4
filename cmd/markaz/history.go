package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"markaz/apps/history"
	"markaz/call"
	"markaz/call/cause"
	"markaz/lang"
	"markaz/stream"
)

// reading opens the stream for a command; its failure is exit code 3.
func reading(path string, con console) (*config, *stream.Client, error) {
	cfg, err := load(path)
	if err != nil {
		return nil, nil, err
	}
	quiet := slog.New(slog.NewTextHandler(con.err, &slog.HandlerOptions{Level: slog.LevelError}))
	client, err := stream.Connect(cfg.Stream, quiet)
	if err != nil {
		return nil, nil, exit(exitUnreachable, "%w", err)
	}
	return cfg, client, nil
}

func unreachable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return exit(exitUnreachable, "stream: %w; is Redis up, and is stream.redis.addr right?", err)
}

type callsCmd struct {
	ID    string        `arg:"" optional:"" help:"Show this call alone; the end of its id will do."`
	JSON  bool          `name:"json" help:"One JSON object per line."`
	Live  bool          `help:"Only calls that are going on."`
	Since time.Duration `help:"How far back to look." default:"24h"`
	From  string        `help:"Only calls whose caller's number contains this."`
}

// Run prints call records, the oldest first.
func (c callsCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, client, err := reading(cmd.Config, con)
	if err != nil {
		return err
	}
	defer client.Close()
	book := call.Book{}
	_, err = stream.NewReader(client).Snapshot(ctx, time.Now().Add(-c.Since), func(e stream.Entry) error {
		book.Apply(e.Event)
		return nil
	})
	if err != nil {
		return unreachable(err)
	}
	var list []*call.Call
	for _, x := range book {
		if c.wants(x) {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *call.Call) int {
		return cmpOr(a.Started.Compare(b.Started), strings.Compare(a.ID, b.ID))
	})
	if c.ID != "" && len(list) == 0 {
		return exit(exitFailure, "no call %s in the last %v; look further back with --since", c.ID, c.Since)
	}
	if c.JSON {
		return writeJSON(con.out, list)
	}
	if err := tabulate(con.out, list); err != nil || c.ID == "" || len(list) > 1 {
		return err
	}
	return parties(con.out, list[0])
}

// parties tells of each party of a call, and what the codes mean.
func parties(w io.Writer, c *call.Call) error {
	words, table := lang.New().In(language("")), cause.New()
	meaning := func(sip, q850 int, phrase string) string {
		if sip == 0 && q850 == 0 {
			return "-"
		}
		return history.Meaning(table, sip, q850, phrase).In(words)
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "PARTY\tADDRESS\tRING\tTALK\tRESULT\tENDED BY\tMEANING")
	for i := range c.Legs {
		l := &c.Legs[i]
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Role, dash(strings.TrimSpace(l.Address+" "+l.Agent)), seconds(l.RingMS), seconds(l.TalkMS),
			dash(string(l.Result)), dash(string(l.By)), meaning(l.SIP, l.Cause, l.Phrase))
	}
	if c.Over() {
		fmt.Fprintf(tw, "call\t-\t-\t%s\t%s\t%s\t%s\n", seconds(c.TalkMS), c.Disposition, dash(string(c.By)), meaning(c.SIP, c.Cause, c.Phrase))
	}
	return tw.Flush()
}

func (c callsCmd) wants(x *call.Call) bool {
	return x.Direction != "" && // seen from its start
		(c.ID == "" || strings.HasSuffix(x.ID, strings.ToUpper(c.ID))) && (!c.Live || !x.Over()) &&
		(c.From == "" || strings.Contains(x.From, c.From))
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func writeJSON[T any](w io.Writer, list []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, v := range list {
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func tabulate(w io.Writer, list []*call.Call) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "STARTED\tSOURCE\tCALL\tDIRECTION\tFROM\tTO\tREACHED\tWAIT\tTALK\tRESULT\tENDED BY\tRECORDING")
	for _, c := range list {
		var wait int64
		for _, q := range c.Queues {
			wait += q.WaitMS
		}
		result := string(c.Disposition)
		if !c.Over() {
			result = "(" + string(c.State) + ")"
		}
		recording := "-"
		if n := len(c.Recordings); n > 0 {
			recording = c.Recordings[n-1].State
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Started.Local().Format(time.DateTime), dash(c.Source), c.ID, c.Direction,
			dash(c.From), dash(c.To), dash(strings.TrimSpace(c.Reached+" "+c.Agent)), seconds(wait), seconds(c.TalkMS), result, dash(string(c.By)), recording)
	}
	return tw.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func seconds(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(time.Second).String()
}

type eventsCmd struct {
	Follow bool          `short:"f" help:"Go on with events as they come."`
	JSON   bool          `name:"json" help:"One JSON object per line."`
	Since  time.Duration `help:"How far back to begin." default:"1h"`
	Call   string        `help:"Only events of this call."`
}

// Run prints events in the order of the stream.
func (c eventsCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, client, err := reading(cmd.Config, con)
	if err != nil {
		return err
	}
	defer client.Close()
	reader := stream.NewReader(client)
	show := func(e stream.Entry) error { return c.show(con.out, e) }
	last, err := reader.Snapshot(ctx, time.Now().Add(-c.Since), show)
	if err != nil || !c.Follow {
		return unreachable(err)
	}
	return unreachable(reader.Tail(ctx, last, show))
}

func (c eventsCmd) show(w io.Writer, e stream.Entry) error {
	if c.Call != "" && e.Event.Call != c.Call {
		return nil
	}
	if c.JSON {
		return writeJSON(w, []call.Event{e.Event})
	}
	_, err := fmt.Fprintln(w, describe(e.Event))
	return err
}

// describe says an event in one line.
func describe(e call.Event) string {
	words := []string{e.At.Local().Format("15:04:05.000"), fmt.Sprintf("%-19s", e.Kind)}
	if e.Call != "" {
		words = append(words, e.Call[max(0, len(e.Call)-6):])
	}
	for _, f := range []struct{ name, value string }{
		{"from", e.From},
		{"name", e.FromName},
		{"to", e.To},
		{"menu", e.Menu},
		{"keys", e.Digits},
		{"queue", e.Queue},
		{"agent", e.Agent},
		{"address", e.Address},
		{"state", e.State},
		{"result", string(e.Result)},
		{"disposition", string(e.Disposition)},
		{"by", string(e.By)},
		{"reason", e.Reason},
		{"file", e.File},
	} {
		if f.value != "" {
			words = append(words, f.name+"="+f.value)
		}
	}
	for _, f := range []struct {
		name  string
		value int64
	}{{"position", int64(e.Position)}, {"wait_ms", e.WaitMS}, {"cause", int64(e.Cause)}, {"sip", int64(e.SIP)}} {
		if f.value != 0 {
			words = append(words, fmt.Sprintf("%s=%d", f.name, f.value))
		}
	}
	return strings.Join(words, " ")
}

// history finds the events of one call, for a reader that met it half-way. Our
// call ids tell when they were made, so only the time since is read.
func (s *server) history(ctx context.Context, callID string) ([]call.Event, error) {
	since, ok := call.TimeOf(callID)
	if !ok {
		since = time.Now().Add(-24 * time.Hour)
	}
	var out []call.Event
	_, err := stream.NewReader(s.client).Snapshot(ctx, since.Add(-time.Minute), func(e stream.Entry) error {
		if e.Event.Call == callID {
			out = append(out, e.Event)
		}
		return nil
	})
	return out, err
}
