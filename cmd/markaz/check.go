package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"markaz/asterisk"
	"markaz/ivr"
	"markaz/ivr/prompt"
	"markaz/lang"
)

type checkCmd struct {
	JSON   bool   `name:"json" help:"One JSON object per finding and line."`
	Lang   string `help:"Language of the sentences: en, fa, ru, zh." default:"en"`
	Sounds string `help:"Asterisk's sounds folder, to look for missing prompts; default: asterisk.sounds." type:"path"`
}

// Run checks the configuration without touching anything.
func (c checkCmd) Run(cmd *cli, con console) error {
	cfg, err := load(cmd.Config)
	if err != nil {
		return err
	}
	if c.Sounds != "" {
		cfg.Asterisk.Sounds = c.Sounds
	}
	found := findings(cfg, lang.New().In(c.Lang))
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
			fmt.Fprintf(con.out, "%s: %s: %s %s\n", f.Severity, f.Path, f.Message, f.Fix)
		}
	}
	switch {
	case wrong > 0:
		return exit(exitConfig, "%d errors in %s", wrong, cmd.Config)
	case !c.JSON:
		fmt.Fprintf(con.out, "%s is in order (warnings: %d)\n", cmd.Config, len(found))
	}
	return nil
}

// known answers what the menus cannot know themselves.
func known(cfg *config) ivr.Known {
	queues, extensions := map[string]bool{}, map[string]bool{}
	for _, q := range cfg.Floor.Queues {
		queues[q.Name] = true
	}
	for _, a := range cfg.Floor.Agents {
		extensions[a.Extension] = true
	}
	k := ivr.Known{
		Queue:   func(name string) bool { return queues[name] },
		Tone:    prompt.CheckTone,
		Entries: entries(cfg),
		Extension: func(number string) bool {
			for _, n := range cfg.Dialplan.Digits {
				if len(number) == n {
					return true
				}
			}
			return extensions[number]
		},
	}
	if dirs := soundFolders(cfg); len(dirs) > 0 {
		k.Sound = func(path string) bool { return soundExists(dirs, path) }
	}
	return k
}

// soundFolders are where Asterisk's sounds are on this machine, if they are.
// Debian has them elsewhere than everybody else.
func soundFolders(cfg *config) []string {
	dirs := []string{cfg.Asterisk.Sounds}
	if cfg.Asterisk.Sounds == asterisk.DefaultConfig().Sounds {
		dirs = append(dirs, "/usr/share/asterisk/sounds")
	}
	return slices.DeleteFunc(dirs, func(dir string) bool {
		info, err := os.Stat(dir)
		return dir == "" || err != nil || !info.IsDir()
	})
}

// findings are those of the menus, then those of every other part that leads
// callers somewhere.
func findings(cfg *config, words lang.Words) []ivr.Finding {
	known := known(cfg)
	found := ivr.Check(cfg.IVR, known, words)
	for i := range found {
		found[i].Path = "ivr." + found[i].Path
	}
	for _, d := range destinations(cfg) {
		found = append(found, ivr.CheckDestination(cfg.IVR, d.path, d.to, known, words)...)
	}
	return found
}

// destination is one that stands outside the menus.
type destination struct {
	path string
	to   ivr.Destination
}

func destinations(cfg *config) []destination {
	list := []destination{{"inbound.no_answer", cfg.Inbound.NoAnswer}, {"inbound.default", cfg.Inbound.Default}}
	for i, q := range cfg.Floor.Queues {
		at := fmt.Sprintf("queues[%d].", i)
		for _, d := range []struct{ path, to string }{
			{"max_wait.to", q.MaxWait.To}, {"max_length.to", q.MaxLength.To}, {"no_agents.to", q.NoAgents.To}, {"exit.to", q.Exit.To},
		} {
			list = append(list, destination{at + d.path, ivr.Destination(d.to)})
		}
	}
	return slices.DeleteFunc(list, func(d destination) bool { return d.to == "" })
}

func entries(cfg *config) []ivr.Destination {
	var out []ivr.Destination
	for _, d := range destinations(cfg) {
		out = append(out, d.to)
	}
	return out
}

// soundExists looks for a sound in any format, in the folders themselves or
// those of any language; an absolute path stands for itself.
func soundExists(dirs []string, path string) bool {
	var patterns []string
	for _, dir := range dirs {
		patterns = append(patterns, filepath.Join(dir, path), filepath.Join(dir, "*", path))
	}
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
