package prompt

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Defaults, and bounds of what is made.
const (
	DefaultTimeout   = 20 * time.Second
	DefaultProcesses = 2

	maxSeconds = 120     // of one sound
	maxOutput  = 1 << 25 // bytes that a speech program may write
)

// Config is the part prompts of the configuration file.
type Config struct {
	Dir         string            `yaml:"dir"`          // where sounds are kept; an absolute path
	AsteriskDir string            `yaml:"asterisk_dir"` // the same folder as the PBX sees it; Dir when left out
	Command     []string          `yaml:"command"`      // speech program and arguments, see [DefaultCommand]
	Voices      map[string]string `yaml:"voices"`       // by language; see [DefaultVoice]
	Timeout     time.Duration     `yaml:"timeout"`      // for one text
	Processes   int               `yaml:"processes"`    // speech programs at a time
	Announce    Announce          `yaml:"announce"`
}

// Announce replaces the built-in sentences of a queue by sounds. A value is
// "tone:" and a tone, or "sound:" and a path as the PBX sees it.
type Announce struct {
	Position      map[int]string `yaml:"position"`       // by position, from 1
	PositionSound string         `yaml:"position_sound"` // for all other positions, such as custom/position-{n}
	Wait          map[int]string `yaml:"wait"`           // by minutes; 0 is less than a minute
	WaitSound     string         `yaml:"wait_sound"`     // for all other waits, such as custom/wait-{n}
}

// DefaultCommand is the speech program when none is configured. Placeholders
// are {text}, {out} (the WAV file to write), {voice} and {lang}. A command
// without {text} gets the text on its standard input.
func DefaultCommand() []string {
	return []string{"espeak-ng", "-v", "{voice}", "-s", "150", "-w", "{out}", "--", "{text}"}
}

// DefaultVoice is the voice of a language for [DefaultCommand]. The plain
// Chinese voice of espeak-ng 1.51 spells pinyin with English letters; the one
// named after pinyin speaks.
func DefaultVoice(lang string) string {
	switch lang {
	case "en":
		return "en-us"
	case "zh":
		return "cmn-latn-pinyin"
	}
	return lang
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.AsteriskDir == "" {
		c.AsteriskDir = c.Dir
	}
	if len(c.Command) == 0 {
		c.Command = DefaultCommand()
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Processes == 0 {
		c.Processes = DefaultProcesses
	}
	return c
}

// Validate tells all faults of the configuration with their paths below the
// section, or nil.
func (c Config) Validate() error {
	var errs []error
	fault := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{path}, args...)...))
	}
	c = c.withDefaults()
	if !filepath.IsAbs(c.Dir) {
		fault("dir", "%q is not an absolute path", c.Dir)
	}
	if !filepath.IsAbs(c.AsteriskDir) {
		fault("asterisk_dir", "%q is not an absolute path", c.AsteriskDir)
	}
	if c.Command[0] == "" || strings.Contains(c.Command[0], "{") {
		fault("command", "%q is not a program", c.Command[0])
	}
	if !slices.ContainsFunc(c.Command, func(arg string) bool { return strings.Contains(arg, "{out}") }) {
		fault("command", "no argument names the file to write, {out}")
	}
	if c.Timeout < 0 {
		fault("timeout", "%v is negative", c.Timeout)
	}
	if c.Processes < 0 {
		fault("processes", "%d is negative", c.Processes)
	}
	return errors.Join(append(errs, c.Announce.validate())...)
}

func (a Announce) validate() error {
	var errs []error
	for _, s := range a.sounds() {
		if s.tone != "" {
			if _, err := ParseTone(s.tone); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", s.path, err))
			}
		} else if !plainSound(s.sound) {
			errs = append(errs, fmt.Errorf("%s: %q is neither tone: and a tone nor sound: and a path", s.path, s.value))
		}
	}
	for path, template := range map[string]string{"position_sound": a.PositionSound, "wait_sound": a.WaitSound} {
		if template != "" && !plainSound(strings.ReplaceAll(template, "{n}", "1")) {
			errs = append(errs, fmt.Errorf("announce.%s: %q is not the path of a sound", path, template))
		}
	}
	return errors.Join(errs...)
}

// announced is one configured sound of a queue.
type announced struct {
	path  string
	value string
	tone  string
	sound string
}

// sounds lists the configured sounds in order.
func (a Announce) sounds() []announced {
	var list []announced
	for _, group := range []struct {
		name   string
		values map[int]string
	}{{"position", a.Position}, {"wait", a.Wait}} {
		for n, value := range ordered(group.values) {
			s := announced{path: fmt.Sprintf("announce.%s.%d", group.name, n), value: value}
			s.tone, s.sound = splitSound(value)
			list = append(list, s)
		}
	}
	return list
}

// splitSound reads "tone:425" and "sound:custom/one".
func splitSound(value string) (tone, sound string) {
	if tone, ok := strings.CutPrefix(value, "tone:"); ok {
		return tone, ""
	}
	sound, _ = strings.CutPrefix(value, "sound:")
	return "", sound
}

// plainSound reports whether a path can only be that of a sound file. A PBX
// takes a path with a colon for the address of something to fetch.
func plainSound(path string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-"
	return path != "" && strings.Trim(path, plain) == "" && !slices.Contains(strings.Split(path, "/"), "..")
}
