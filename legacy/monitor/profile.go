package monitor

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed profiles/*.yml
var shipped embed.FS

// Profile says how a kind of device talks.
type Profile struct {
	Name  string `yaml:"name"`
	Title string `yaml:"title"`
	// Unproven says that the profile was never tried on a device.
	Unproven  bool      `yaml:"unproven"`
	Transport Transport `yaml:"transport"`
	Frame     Frame     `yaml:"frame"`
	Lines     int       `yaml:"lines"` // how many the device has
	Rules     []Rule    `yaml:"rules"` // the first that matches counts

	RingGapMS      int  `yaml:"ring_gap_ms"`      // no ring for this long: the ringing has stopped
	AnswerWindowMS int  `yaml:"answer_window_ms"` // lifted within this after the last ring: answered
	CIDWaitMS      int  `yaml:"cid_wait_ms"`      // how long a ringing call waits for its caller's number before it is told
	DialGapMS      int  `yaml:"dial_gap_ms"`      // no digit for this long: the number is complete
	AnsweredMS     int  `yaml:"answered_ms"`      // a dialled call that lasted this long counts as answered, unless the device tells
	HookSwap       bool `yaml:"hook_swap"`        // the device says "on" when the handset is lifted
	NoHook         bool `yaml:"no_hook"`          // the device cannot tell whether anybody answers

	Duration DurationRule `yaml:"duration"`
	Number   NumberRule   `yaml:"number"`
}

// Transport is how the device is usually attached; a source may say otherwise.
type Transport struct {
	Type   string `yaml:"type"` // serial, tcp-client, tcp-server, udp, file
	Baud   int    `yaml:"baud"`
	Bits   int    `yaml:"bits"`
	Parity string `yaml:"parity"`
	Stop   string `yaml:"stop"`
	Port   int    `yaml:"port"`
}

// Frame says how the byte stream is cut.
type Frame struct {
	End         []string `yaml:"end"`           // what ends a frame; any of them
	Strip       string   `yaml:"strip"`         // bytes to remove at both ends of a frame
	Max         int      `yaml:"max"`           // longest frame; what grows longer is cut
	IdleFlushMS int      `yaml:"idle_flush_ms"` // silence that ends a frame
}

// Rule makes an event of a frame. Its expression (RE2) has named groups.
type Rule struct {
	Event Event  `yaml:"event"`
	RE    string `yaml:"re"`
	Note  string `yaml:"note"`

	re *regexp.Regexp
}

// DurationRule says how to read the duration that a device prints.
type DurationRule struct {
	Format string `yaml:"format"` // mmss or seconds; auto compares with our clock over a few calls
	Prefer string `yaml:"prefer"` // clock or device
}

// NumberRule says which texts stand for a number that is not shown.
type NumberRule struct {
	Masked []string `yaml:"masked"`
}

// Event is what a frame tells, in the words that every device is reduced to.
type Event string

// The events.
const (
	Ring       Event = "ring"        // count
	CID        Event = "cid"         // number, name
	Hook       Event = "hook"        // state: on, off; see HookSwap
	OffHook    Event = "off_hook"    // lifted; dialled, where the device tells it at once
	OnHook     Event = "on_hook"     // hung up; dialled, duration
	Digit      Event = "digit"       // digit
	Answer     Event = "answer"      // the other side answered
	Missed     Event = "missed"      // count
	Polarity   Event = "polarity"    //
	LineUp     Event = "line_up"     //
	LineDown   Event = "line_down"   //
	DeviceUp   Event = "device_up"   //
	DeviceDown Event = "device_down" //
	Error      Event = "error"       // code
	Ignore     Event = "ignore"      // known and of no use
	Unknown    Event = "unknown"     // no rule matches
)

func events() []Event {
	return []Event{
		Ring, CID, Hook, OffHook, OnHook, Digit, Answer, Missed, Polarity,
		LineUp, LineDown, DeviceUp, DeviceDown, Error, Ignore,
	}
}

func groups() []string {
	return []string{
		"line", "number", "name", "count", "digit", "state", "dialled", "seconds", "duration", "code",
		"year", "month", "day", "hour", "minute", "second", "ampm",
	}
}

// Parse reads a profile and checks it.
func Parse(text []byte) (*Profile, error) {
	p := defaults()
	if err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	if err := p.compile(); err != nil {
		return nil, fmt.Errorf("check profile %s: %w", p.Name, err)
	}
	return &p, nil
}

func defaults() Profile {
	return Profile{
		Transport: Transport{Type: "serial", Baud: 9600, Bits: 8, Parity: "none", Stop: "1"},
		Frame:     Frame{End: []string{"\r", "\n"}, Strip: " \t\r\n\x00", Max: 256, IdleFlushMS: 500},
		Lines:     1, RingGapMS: 7000, AnswerWindowMS: 7000, DialGapMS: 5000, AnsweredMS: 20000,
		Duration: DurationRule{Format: "auto", Prefer: "clock"},
	}
}

// compile checks a profile, reporting every fault, and compiles its rules.
func (p *Profile) compile() error {
	var faults []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	add(p.Name == "", "name: missing")
	add(len(p.Rules) == 0, "rules: none")
	add(len(p.Frame.End) == 0 || slices.Contains(p.Frame.End, ""), "frame.end: want what ends a frame")
	add(p.Frame.Max < 8 || p.Frame.Max > 4096, "frame.max: %d is not between 8 and 4096", p.Frame.Max)
	add(p.RingGapMS < 500, "ring_gap_ms: %d is less than 500", p.RingGapMS)
	add(p.AnswerWindowMS < 0, "answer_window_ms: %d is negative", p.AnswerWindowMS)
	add(!slices.Contains([]string{"auto", "mmss", "seconds"}, p.Duration.Format), "duration.format: %q is not auto, mmss or seconds", p.Duration.Format)
	add(!slices.Contains([]string{"clock", "device"}, p.Duration.Prefer), "duration.prefer: %q is not clock or device", p.Duration.Prefer)
	for i := range p.Rules {
		if err := p.Rules[i].compile(); err != nil {
			faults = append(faults, fmt.Errorf("rules[%d]: %w", i, err))
		}
	}
	return errors.Join(faults...)
}

func (r *Rule) compile() error {
	if !slices.Contains(events(), r.Event) {
		return fmt.Errorf("event: %q is not known", r.Event)
	}
	re, err := regexp.Compile(r.RE)
	if err != nil {
		return fmt.Errorf("re: %w", err)
	}
	for _, name := range re.SubexpNames() {
		if name != "" && !slices.Contains(groups(), name) {
			return fmt.Errorf("re: group %q is not one of %s", name, strings.Join(groups(), ", "))
		}
	}
	r.re = re
	return nil
}

// Shipped returns a profile that comes with the program.
func Shipped(name string) (*Profile, error) {
	text, err := shipped.ReadFile("profiles/" + name + ".yml")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("profile %q is not shipped; there are %s", name, strings.Join(ShippedNames(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	return Parse(text)
}

// ShippedNames lists the profiles that come with the program.
func ShippedNames() []string {
	entries, err := shipped.ReadDir("profiles")
	if err != nil {
		return nil // the folder is embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yml"))
	}
	sort.Strings(names)
	return names
}
