package recorder

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"markaz/call"
)

func policy(t *testing.T, text string) Config {
	t.Helper()
	var c Config
	if err := yaml.UnmarshalWithOptions([]byte("dir: x\n"+text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPolicy(t *testing.T) {
	in := call.Call{ID: "c", Direction: call.Inbound, From: "0912 345 6789", FromE164: "+989123456789", To: "02188776655", Reached: "101", Agent: "ali", Queues: []call.QueueStay{{Queue: "first"}, {Queue: "sales"}}}
	out := call.Call{ID: "c", Direction: call.Outbound, From: "101", To: "0044201234567"}
	inside := call.Call{ID: "c", Direction: call.Internal, From: "101", To: "102", Reached: "102"}
	for _, tt := range []struct {
		name, rules string
		call        call.Call
		want        bool
		reason      string
	}{
		{"nothing said", ``, in, false, "no rule"},
		{"everything", `rules: [{}]`, in, true, "rule"},
		{"queue", `rules: [{queue: sales}]`, in, true, "rule"},
		{"the queue he came from does not count", `rules: [{queue: first}]`, in, false, "no rule"},
		{"no queue at all", `rules: [{queue: sales}]`, out, false, "no rule"},
		{"direction", `rules: [{direction: outbound}]`, out, true, "rule"},
		{"other direction", `rules: [{direction: outbound}]`, in, false, "no rule"},
		{"agent", `rules: [{agent: ali}]`, in, true, "rule"},
		{"other agent", `rules: [{agent: mina}]`, in, false, "no rule"},
		{"extension that answered", `rules: [{extension: "101"}]`, in, true, "rule"},
		{"extension that called", `rules: [{extension: "101"}]`, out, true, "rule"},
		{"caller's number is no extension", `rules: [{extension: "0912 345 6789"}]`, in, false, "no rule"},
		{"number outside", `rules: [{number: "0912*"}]`, in, true, "rule"},
		{"number in its full form", `rules: [{number: "+98912???????"}]`, in, true, "rule"},
		{"our own number is not outside", `rules: [{number: "02188776655"}]`, in, false, "no rule"},
		{"number called", `rules: [{number: "0044*"}]`, out, true, "rule"},
		{"either party inside", `rules: [{number: "102"}]`, inside, true, "rule"},
		{"all that is named", `rules: [{queue: sales, number: "0935*"}]`, in, false, "no rule"},
		{"first rule that fits", `rules: [{queue: sales, skip: true}, {}]`, in, false, "rule says no"},
		{"later rule", `rules: [{queue: other, skip: true}, {}]`, in, true, "rule"},
		{"never, caller", "never: [\"+98912*\"]\nrules: [{}]", in, false, "number never recorded"},
		{"never, called", "never: [\"0044*\"]\nrules: [{}]", out, false, "number never recorded"},
		{"never, who answers", "never: [\"101\"]\nrules: [{}]", in, false, "number never recorded"},
		{"never, others", "never: [\"110\"]\nrules: [{}]", in, true, "rule"},
		{"no number", "never: [\"*\"]\nrules: [{}]", call.Call{ID: "c", From: "anonymous"}, true, "rule"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := policy(t, tt.rules)
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			if got, reason := c.Policy.Plan(tt.call); got != tt.want || reason != tt.reason {
				t.Errorf("got %v, %q, want %v, %q", got, reason, tt.want, tt.reason)
			}
		})
	}
}

// TestSample: the same call is always in or always out, and the share is right
// for ids that follow upon each other as ours do.
func TestSample(t *testing.T) {
	c := policy(t, `rules: [{percent: 30}]`)
	recorded := 0
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const n = 10_000
	for i := range n {
		id := call.NewID(at.Add(time.Duration(i)*time.Millisecond), [10]byte{byte(i), byte(i >> 8)})
		yes, _ := c.Policy.Plan(call.Call{ID: id})
		if again, _ := c.Policy.Plan(call.Call{ID: id, From: "1"}); again != yes {
			t.Fatalf("%s is recorded %v, then %v", id, yes, again)
		}
		if yes {
			recorded++
		}
	}
	if share := 100 * recorded / n; share < 28 || share > 32 {
		t.Errorf("%d %% recorded, want 30", share)
	}
}

func TestConfigFaults(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`zone: Mars/Olympus`, `zone: there is no time zone "Mars/Olympus"`},
		{`tolerance: -1s`, `tolerance: -1s is negative`},
		{`retention: {days: -1}`, `retention.days: -1 is negative`},
		{`disk: {stop: 101}`, `disk.stop: 101 is not a percentage from 1 to 100`},
		{`disk: {stop: 90, resume: 95}`, `disk.resume: 95 is above disk.stop, which is 90`},
		{`never: [ali]`, `never[0]: "ali" is not a number`},
		{`rules: [{}, {direction: up}]`, `rules[1].direction: "up" is not inbound, outbound or internal`},
		{`rules: [{number: "[0-9]"}]`, `rules[0].number: "[0-9]" is not a number`},
		{`rules: [{percent: 0}]`, `rules[0].percent: 0 is not a percentage from 1 to 100; skip: true records none`},
		{`rules: [{percent: 50, skip: true}]`, `rules[0].skip: a rule that records nothing has no percent`},
	} {
		err := policy(t, tt.text).Validate()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.text, err, tt.want)
		}
	}
	if err := (Config{}).Validate(); err == nil || err.Error() != "dir: is missing" {
		t.Errorf("an empty configuration: %v", err)
	}
	if err := policy(t, "zone: Asia/Tehran\ntolerance: 1s\nretention: {days: 90, hold: [x]}\ndisk: {warn: 80, stop: 90, resume: 85}").Validate(); err != nil {
		t.Error(err)
	}
}

func TestDiskLimits(t *testing.T) {
	d := DiskLimits{}
	d.setDefaults()
	s := DiskFine
	for _, tt := range []struct {
		percent float64
		want    DiskState
	}{{10, DiskFine}, {84.9, DiskFine}, {85, DiskWarn}, {94, DiskWarn}, {95, DiskFull}, {90, DiskFull}, {85, DiskFull}, {84, DiskFine}, {99, DiskFull}, {20, DiskFine}} {
		if s = d.next(s, tt.percent); s != tt.want {
			t.Fatalf("at %.1f %% the disk is %s, want %s", tt.percent, s, tt.want)
		}
	}
	got, err := used(t.TempDir())
	if err != nil || got <= 0 || got > 100 {
		t.Errorf("this disk is used to %.1f %%, %v", got, err)
	}
	if _, err := used("/no/such/folder"); err == nil {
		t.Error("a disk that is not there was measured")
	}
}
