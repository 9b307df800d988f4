package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

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

// errNoSidecar says that no sidecar answers.
var errNoSidecar = errors.New("no sidecar answers")

// ask asks the sidecar that is at work.
func ask(ctx context.Context, cfg *config, method, path string, body io.Reader) (*http.Response, error) {
	if cfg.Listen == "" {
		return nil, exit(exitUnreachable, "%w: listen is off", errNoSidecar)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+cfg.Listen+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask sidecar: %w", err)
	}
	if cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+string(cfg.Token))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, exit(exitUnreachable, "%w at %s: start it with run: %w", errNoSidecar, cfg.Listen, err)
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
	fmt.Fprintf(con.out, "%s: lines: %d, records taken: %d, known before: %d, calls: %d\n", name, r.Lines, r.Records, r.Known, r.Calls)
	if r.Lines > 0 && r.Records == 0 && r.Known == 0 {
		return exit(exitFailure, "%s holds no record of the source %s: is it a log of that device, and are its model and date right?", name, i.Source)
	}
	return nil
}
