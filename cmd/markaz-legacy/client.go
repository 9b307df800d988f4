package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"markaz/legacy"
	"markaz/legacy/monitor"
)

type profileListCmd struct{}

// Run lists the profiles.
func (profileListCmd) Run(con console) error {
	for _, name := range monitor.ShippedNames() {
		p, err := monitor.Shipped(name)
		if err != nil {
			return err
		}
		note := ""
		if p.Unproven {
			note = " (never tried on a device)"
		}
		fmt.Fprintf(con.out, "%-12s %s%s\n", name, p.Title, note)
	}
	return nil
}

// ask asks the sidecar that is at work.
func ask(ctx context.Context, cfg *config, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+cfg.Listen+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask sidecar: %w", err)
	}
	if cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+cfg.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, exit(exitUnreachable, "no sidecar answers at %s: start it with run: %w", cfg.Listen, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		resp.Body.Close()
		return nil, fmt.Errorf("sidecar answers %s: %s", resp.Status, text)
	}
	return resp, nil
}

// Run has the sidecar that is at work take old logs.
func (i importCmd) Run(ctx context.Context, c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	if _, err := cfg.source(i.Source); err != nil {
		return err
	}
	for _, name := range i.Files {
		if err := i.one(ctx, cfg, con, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (i importCmd) one(ctx context.Context, cfg *config, con console, name string) error {
	f, err := openFile(name)
	if err != nil {
		return err
	}
	defer f.Close()
	resp, err := ask(ctx, cfg, http.MethodPost, "/sources/"+i.Source+"/import", f)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var r legacy.ImportReport
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	fmt.Fprintf(con.out, "%s: %d lines, %d records taken, %d known before, %d calls\n", name, r.Lines, r.Records, r.Known, r.Calls)
	return nil
}

type rawCmd struct {
	Source string `arg:"" help:"Key of the source."`
}

// Run shows what the source sends, until it is stopped.
func (r rawCmd) Run(ctx context.Context, c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	resp, err := ask(ctx, cfg, http.MethodGet, "/sources/"+r.Source+"/raw", nil)
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
		fmt.Fprintf(con.out, "%s %q\n    %s\n", s.At.Local().Format(time.TimeOnly), s.Raw, s.What)
	}
}

type testCmd struct {
	Source string `arg:"" help:"Key of the source."`
}

// Run says how the source stands, as the sidecar that is at work sees it.
func (t testCmd) Run(ctx context.Context, c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	resp, err := ask(ctx, cfg, http.MethodGet, "/sources", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var all []legacy.Status
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	for _, st := range all {
		if st.Key != t.Source {
			continue
		}
		fmt.Fprintf(con.out, "%s: %d lines, %d of them records\n", st.Key, st.Lines, st.Records)
		for _, w := range st.Warnings {
			fmt.Fprintln(con.out, "!", w)
		}
		if !st.Connected {
			return exit(exitUnreachable, "the device is not connected: %s", st.Error)
		}
		return nil
	}
	_, err = cfg.source(t.Source)
	return errors.Join(err, errors.New("the sidecar at work does not have it"))
}
