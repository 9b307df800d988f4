package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"markaz/ivr"
	"markaz/ivr/prompt"
	"markaz/lang"
)

type checkCmd struct {
	JSON   bool   `name:"json" help:"One JSON object per finding and line."`
	Lang   string `help:"Language of the sentences: en, fa, ru, zh." default:"en"`
	Sounds string `help:"Asterisk's sounds folder, to look for missing prompts; off when empty." default:"/var/lib/asterisk/sounds" type:"path"`
}

// Run checks the configuration without touching anything.
func (c checkCmd) Run(cmd *cli, con console) error {
	cfg, err := load(cmd.Config)
	if err != nil {
		return err
	}
	found := ivr.Check(cfg.IVR, c.known(cfg), lang.New().In(c.Lang))
	if c.JSON {
		if err := writeJSON(con.out, found); err != nil {
			return err
		}
	}
	wrong := 0
	for _, f := range found {
		if f.Severity == ivr.Error {
			wrong++
		}
		if !c.JSON {
			fmt.Fprintf(con.out, "%s: ivr.%s: %s %s\n", f.Severity, f.Path, f.Message, f.Fix)
		}
	}
	switch {
	case wrong > 0:
		return exit(exitConfig, "%d errors in %s", wrong, cmd.Config)
	case !c.JSON:
		fmt.Fprintf(con.out, "%s is in order (%d warnings)\n", cmd.Config, len(found))
	}
	return nil
}

// known answers what the menus cannot know themselves.
func (c checkCmd) known(cfg *config) ivr.Known {
	queues, extensions := map[string]bool{}, map[string]bool{}
	for _, q := range cfg.Floor.Queues {
		queues[q.Name] = true
	}
	for _, a := range cfg.Floor.Agents {
		extensions[a.Extension] = true
	}
	k := ivr.Known{
		Queue: func(name string) bool { return queues[name] },
		Tone:  prompt.CheckTone,
		Extension: func(number string) bool {
			for _, n := range cfg.Dialplan.Digits {
				if len(number) == n {
					return true
				}
			}
			return extensions[number]
		},
	}
	if info, err := os.Stat(c.Sounds); c.Sounds != "" && err == nil && info.IsDir() {
		k.Sound = func(path string) bool { return soundExists(c.Sounds, path) }
	}
	return k
}

// soundExists looks for a sound in any format, in the folder itself or that of
// any language; an absolute path stands for itself.
func soundExists(dir, path string) bool {
	patterns := []string{filepath.Join(dir, path), filepath.Join(dir, "*", path)}
	if strings.HasPrefix(path, "/") {
		patterns = []string{path}
	}
	for _, p := range patterns {
		if found, err := filepath.Glob(p + ".*"); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}
