package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"markaz/dialplan"
)

type dialplanCmd struct {
	Print   dialplanPrintCmd   `cmd:"" help:"Print the dialplan file of this configuration."`
	Install dialplanInstallCmd `cmd:"" help:"Write markaz.conf beside extensions.conf; safe to repeat."`
}

type dialplanPrintCmd struct{}

// Run prints the file.
func (dialplanPrintCmd) Run(c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	return dialplan.Render(con.out, cfg.dialplan())
}

type dialplanInstallCmd struct {
	Dir    string `help:"Asterisk's configuration folder." default:"/etc/asterisk" type:"path"`
	DryRun bool   `help:"Only say what would be done."`
}

const includeLine = "#include markaz.conf"

// Run writes the file and says what is left to do by hand.
func (d dialplanInstallCmd) Run(c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := dialplan.Render(&b, cfg.dialplan()); err != nil {
		return err
	}
	path := filepath.Join(d.Dir, "markaz.conf")
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b.Bytes()) {
		fmt.Fprintf(con.out, "%s is up to date\n", path)
	} else if d.DryRun {
		fmt.Fprintf(con.out, "would write %s (%d bytes)\n", path, b.Len())
	} else if err := writeFile(path, b.Bytes()); err != nil {
		return err
	} else {
		fmt.Fprintf(con.out, "wrote %s\n", path)
	}
	d.tellTheRest(con)
	return nil
}

func (d dialplanInstallCmd) tellTheRest(con console) {
	file := "extensions.conf"
	if _, err := os.Stat(filepath.Join(d.Dir, "extensions_custom.conf")); err == nil {
		file = "extensions_custom.conf" // FreePBX and Issabel generate extensions.conf anew
	}
	if text, err := os.ReadFile(filepath.Join(d.Dir, file)); err == nil && bytes.Contains(text, []byte(includeLine)) {
		fmt.Fprintf(con.out, "%s includes it already; apply with: asterisk -rx 'dialplan reload'\n", filepath.Join(d.Dir, file))
		return
	}
	fmt.Fprintf(con.out, `Add by hand, then run: asterisk -rx 'dialplan reload'
  in %s:        %s
  where calls of a trunk arrive: context=%s
`, filepath.Join(d.Dir, file), includeLine, dialplan.ContextInbound)
}

// writeFile replaces a file at one stroke, so that a reload never reads half.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".markaz-*")
	if errors.Is(err, fs.ErrNotExist) {
		return exit(exitConfig, "there is no folder %s: name Asterisk's with --dir", filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
