package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"markaz/legacy"
)

type rawCmd struct {
	Source string `arg:"" help:"Key of the source."`
}

// Run shows what the source sends, until it is stopped.
func (r rawCmd) Run(ctx context.Context, c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	source, err := cfg.source(r.Source)
	if err != nil {
		return err
	}
	show := func(s legacy.Seen) {
		fmt.Fprintf(con.out, "%s %q\n    %s\n", s.At.Local().Format(time.TimeOnly), s.Raw, s.What)
	}
	err = watch(ctx, cfg, r.Source, "", show)
	if !errors.Is(err, errNoSidecar) {
		return err
	}
	fmt.Fprintln(con.err, "No sidecar is at work: this command connects by itself, and keeps what it receives.")
	own, err := borrow(cfg, r.Source)
	if err != nil {
		return err
	}
	defer own.giveBack(&err)
	said := ""
	own.each(ctx, show, func(st legacy.Status) {
		if why := unconnected(source, st).Error(); !st.Connected && (st.Error != "" || source.Link.Type == "listen") && why != said {
			said = why
			fmt.Fprintln(con.err, "!", why)
		}
	})
	return nil
}

// watch has the sidecar that is at work show what a source sends.
func watch(ctx context.Context, cfg *config, key, query string, show func(legacy.Seen)) error {
	resp, err := ask(ctx, cfg, http.MethodGet, "/sources/"+key+"/raw"+query, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for dec := json.NewDecoder(resp.Body); ; {
		var s legacy.Seen
		err := dec.Decode(&s)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read lines: %w", err)
		}
		show(s)
	}
}

// own is a sidecar that connects to one source, for as long as a command
// looks at it. It is a whole one, for what it receives no device has twice.
type own struct {
	key     string
	sidecar *sidecar
	stop    context.CancelFunc
	ended   chan error
}

func borrow(cfg *config, key string) (*own, error) {
	quiet := *cfg
	quiet.Listen = ""
	s, err := open(&quiet, slog.New(slog.DiscardHandler), key)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	o := &own{key: key, sidecar: s, stop: stop, ended: make(chan error, 1)}
	go func() { o.ended <- s.run(ctx) }()
	return o, nil
}

// each shows every line until ctx ends, or the sidecar does. Idle is told every
// second how the source stands.
func (o *own) each(ctx context.Context, show func(legacy.Seen), idle func(legacy.Status)) {
	latest, more, done := o.sidecar.engine.Watch(o.key)
	defer done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for _, s := range latest {
		show(s)
	}
	for {
		select {
		case s := <-more:
			show(s)
		case <-tick.C:
			idle(o.status())
		case err := <-o.ended:
			o.ended <- err
			return
		case <-ctx.Done():
			return
		}
	}
}

func (o *own) status() legacy.Status {
	for _, st := range o.sidecar.engine.Status() {
		if st.Key == o.key {
			return st
		}
	}
	return legacy.Status{}
}

// giveBack ends the sidecar; its failure is that of the command, unless that
// has one.
func (o *own) giveBack(err *error) {
	o.stop()
	if failed := <-o.ended; *err == nil {
		*err = failed
	}
}
