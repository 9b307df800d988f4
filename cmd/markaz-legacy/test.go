package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"markaz/legacy"
	"markaz/legacy/link"
	"markaz/legacy/smdr"
)

type testCmd struct {
	Source string        `arg:"" help:"Key of the source."`
	For    time.Duration `help:"How long to listen, where no sidecar is at work." default:"20s"`
}

// seen is what a test goes by.
type seen struct {
	status legacy.Status
	lines  [][]byte
}

// Run says in plain words how the source stands: as the sidecar that is at
// work sees it, else by connecting.
func (t testCmd) Run(ctx context.Context, c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	source, err := cfg.source(t.Source)
	if err != nil {
		return err
	}
	found, err := asked(ctx, cfg, t.Source)
	switch {
	case err == nil:
		fmt.Fprintf(con.out, "The sidecar at work (%s) holds the connection; this is how it sees the source.\n", cfg.Listen)
	case errors.Is(err, errNoSidecar):
		fmt.Fprintf(con.out, "No sidecar is at work: connecting and listening for %v. What comes is kept.\n", t.For)
		if found, err = t.listen(ctx, cfg); err != nil {
			return err
		}
	default:
		return err
	}
	return tell(con.out, source, found)
}

// asked is what the sidecar at work knows of a source.
func asked(ctx context.Context, cfg *config, key string) (found seen, err error) {
	resp, err := ask(ctx, cfg, http.MethodGet, "/sources", nil)
	if err != nil {
		return seen{}, err
	}
	defer resp.Body.Close()
	var all []legacy.Status
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return seen{}, fmt.Errorf("read status: %w", err)
	}
	i := slices.IndexFunc(all, func(st legacy.Status) bool { return st.Key == key })
	if i < 0 {
		return seen{}, fmt.Errorf("the sidecar at work does not have the source %s: start it again", key)
	}
	found.status = all[i]
	return found, watch(ctx, cfg, key, "?latest", found.add)
}

func (f *seen) add(s legacy.Seen) { f.lines = append(f.lines, s.Raw) }

// listen connects to the source and listens for a while, or until the device
// has refused us.
func (t testCmd) listen(ctx context.Context, cfg *config) (found seen, err error) {
	o, err := borrow(cfg, t.Source)
	if err != nil {
		return seen{}, err
	}
	defer o.giveBack(&err)
	ctx, cancel := context.WithTimeout(ctx, t.For)
	defer cancel()
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if o.status().Refused {
				cancel()
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	o.each(ctx, found.add, func(legacy.Status) {})
	found.status = o.status()
	return found, nil
}

// tell says what was found. The error says what keeps calls from coming.
func tell(out io.Writer, source legacy.Source, found seen) error {
	st := found.status
	fmt.Fprintf(out, "%s: %s, %s\n", source.Key, st.Kind, where(source.Link))
	if !st.Connected && st.Bytes == 0 {
		return unconnected(source, st)
	}
	fmt.Fprintf(out, "  connected: %v; %d bytes, %d lines", st.Connected, st.Bytes, st.Lines)
	for _, kind := range slices.Sorted(maps.Keys(st.Kinds)) {
		fmt.Fprintf(out, ", %d %s", st.Kinds[kind], kind)
	}
	fmt.Fprintln(out)
	if st.Bytes == 0 {
		fmt.Fprintln(out, "! nothing has come yet: make a call, and test again")
	}
	if source.Model != "" {
		dates(out, source, found.lines)
		if calls := st.Kinds["call"]; st.Kinds["ring"] == 0 && calls > 0 {
			fmt.Fprintf(out, "! no ring record, but %d of calls: missed calls and pop-ups need the printing of received calls (RC)\n", calls)
		}
	}
	for _, w := range st.Warnings {
		fmt.Fprintln(out, "!", w)
	}
	if !st.Connected {
		return unconnected(source, st)
	}
	return nil
}

// dates lists the date orders that the lines allow.
func dates(out io.Writer, source legacy.Source, lines [][]byte) {
	family, err := smdr.FamilyOf(source.Model)
	if err != nil {
		return // validated
	}
	orders, dated := smdr.Parser{Family: family}.PossibleOrders(lines)
	if dated == 0 {
		return
	}
	var words []string
	set := false
	for _, o := range orders {
		word := o.String()
		if strings.EqualFold(word, source.Date) {
			word, set = word+" (set)", true
		}
		words = append(words, word)
	}
	fmt.Fprintf(out, "  date orders that fit all dated lines (%d): %s\n", dated, strings.Join(words, ", "))
	if !set {
		fmt.Fprintf(out, "! date: %s is set, and cannot be\n", source.Date)
	}
}

func where(c link.Config) string {
	switch c.Type {
	case "serial":
		s := c.Serial
		return fmt.Sprintf("serial %s at %d, %d bits, parity %s, %s stop", s.Port, s.Baud, s.Bits, s.Parity, s.Stop)
	case "file":
		return "file " + c.Path
	}
	return c.Type + " " + c.Address
}

// unconnected says why there is no connection.
func unconnected(source legacy.Source, st legacy.Status) error {
	switch {
	case strings.Contains(st.Error, link.ErrBusy.Error()):
		return exit(exitRefused, "the device is there and refuses us: it serves another client, and takes one only; let that one read from our tee")
	case st.Refused:
		return exit(exitRefused, "the device is there and refuses the log-in: user or password is wrong (%s); it may lock us out, so try again in some minutes", st.Error)
	case source.Link.Type == "serial":
		ports, err := link.Ports()
		if err != nil || len(ports) == 0 {
			ports = []string{"none"}
		}
		return exit(exitUnreachable, "the port cannot be opened: %s; serial ports of this machine: %s", st.Error, strings.Join(ports, ", "))
	case source.Link.Type == "listen":
		return exit(exitUnreachable, "nobody has connected to %s yet", source.Link.Address)
	}
	return exit(exitUnreachable, "the device cannot be reached: %s", st.Error)
}
