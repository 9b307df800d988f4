package dialplan

import (
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/template"
)

//go:embed markaz.conf.tmpl
var conf string

// Options are what differs from site to site in the shipped file.
type Options struct {
	AGI       string // host:port of the FastAGI server, as Asterisk reaches it
	App       string // name of the Stasis application
	Lease     int    // seconds; 10 is what the fall-back promises are tested with
	Fallback  string // extension:101, queue:NAME of queues.conf, or sound:PATH
	Extension string // dial string of an extension, {address} in place of its number
	Trunk     string // dial string of an outside number, {number} in place of it
	Digits    []int  // how many digits extensions have
}

// What may stand in a dialplan without being able to become more of it.
const (
	hostPort = `^[A-Za-z0-9.\-\[\]:]+:[0-9]{1,5}$`
	word     = `^[A-Za-z0-9_.\-]{1,64}$`
	soundRef = `^[A-Za-z0-9_./\-]{1,200}$`
	dialText = `^[A-Za-z0-9_./@:{}\-]{1,200}$`
)

func is(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }

// steps turns the fall-back into dialplan applications.
func (o Options) steps() ([]string, error) {
	kind, target, _ := strings.Cut(o.Fallback, ":")
	switch {
	case kind == "extension" && is(word, target):
		return []string{"Dial(" + strings.ReplaceAll(o.Extension, "{address}", target) + ",60)"}, nil
	case kind == "queue" && is(word, target):
		return []string{"Queue(" + target + ")"}, nil
	case kind == "sound" && is(soundRef, target):
		return []string{"Wait(0.5)", "Playback(" + target + ")"}, nil
	}
	return nil, fmt.Errorf("fallback %q: want extension:NUMBER, queue:NAME or sound:PATH", o.Fallback)
}

// Validate reports the first option that cannot be written into a dialplan.
func (o Options) Validate() error {
	switch {
	case !is(hostPort, o.AGI):
		return fmt.Errorf("FastAGI address %q: want host:port", o.AGI)
	case !is(word, o.App):
		return fmt.Errorf("application %q: want letters, digits, dash and underscore", o.App)
	case o.Lease < 3 || o.Lease > 600:
		return fmt.Errorf("lease %d: want 3 to 600 seconds", o.Lease)
	case !is(dialText, o.Extension) || !strings.Contains(o.Extension, "{address}"):
		return fmt.Errorf("extension %q: want a dial string with {address}, such as PJSIP/{address}", o.Extension)
	case !is(dialText, o.Trunk) || !strings.Contains(o.Trunk, "{number}"):
		return fmt.Errorf("trunk %q: want a dial string with {number}, such as PJSIP/{number}@trunk", o.Trunk)
	}
	for _, n := range o.Digits {
		if n < 2 || n > 6 {
			return fmt.Errorf("extensions of %d digits: want 2 to 6", n)
		}
	}
	_, err := o.steps()
	return err
}

// Render writes the shipped file for a site.
func Render(w io.Writer, o Options) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("render dialplan: %w", err)
	}
	steps, err := o.steps()
	if err != nil {
		return fmt.Errorf("render dialplan: %w", err)
	}
	t, err := template.New("markaz.conf").Parse(conf)
	if err != nil {
		return fmt.Errorf("read dialplan template: %w", err)
	}
	return t.Execute(w, struct {
		Options
		FallbackSteps     []string
		ExtensionPatterns []string
		OutgoingPatterns  []string
		ExtensionDial     string
		OutgoingDial      string
	}{
		o, steps, patterns(o.Digits, "_"), outgoing(),
		strings.ReplaceAll(o.Extension, "{address}", "${EXTEN}"),
		strings.ReplaceAll(o.Trunk, "{number}", "${EXTEN}"),
	})
}

func patterns(lengths []int, prefix string) []string {
	var out []string
	for _, n := range lengths {
		out = append(out, prefix+strings.Repeat("X", n))
	}
	return out
}

// outgoing lists fixed-length patterns for national and international numbers;
// E.164 has at most 15 digits.
func outgoing() []string {
	lengths := []int{7, 8, 9, 10, 11, 12, 13, 14, 15}
	return append(patterns(lengths, "_"), patterns(lengths, "_+")...)
}
