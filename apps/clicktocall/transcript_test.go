package clicktocall

import (
	"encoding/json"
	"flag"
	"strings"
	"testing"
	"time"

	"markaz/apps"
	"markaz/apps/apptest"
	"markaz/call"
	"markaz/lang"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

// iran reads numbers as an exchange in Tehran does that wants a 9 before them.
type iran struct{}

func (iran) Outside(number string) (e164, shown, dial string, ok bool) {
	if strings.Trim(strings.TrimPrefix(number, "+"), "0123456789") != "" || len(number) < 3 {
		return "", "", "", false
	}
	switch {
	case strings.HasPrefix(number, "+98"):
		number = "0" + number[3:]
	case strings.HasPrefix(number, "+"):
		return number, "00" + number[1:], "900" + number[1:], true
	}
	if strings.HasPrefix(number, "00") {
		e164 = "+" + number[2:]
	} else if strings.HasPrefix(number, "0") {
		e164 = "+98" + number[1:]
	}
	return e164, number, "9" + number, true
}

func (iran) Office(number string) bool {
	return len(number) == 3 && number[0] == '1' && strings.Trim(number, "0123456789") == ""
}

func TestTranscripts(t *testing.T) {
	apptest.Transcripts(t, *update, nil, func(t *testing.T, config string) []apps.Machine {
		cfg := Config{Trunk: "trunk", CallerID: "02188", CallerIDs: []string{"02199"}}
		if err := json.Unmarshal([]byte(config), &cfg); err != nil {
			t.Fatal(err)
		}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		return []apps.Machine{New(cfg, NewGuard(cfg, iran{}, func(at time.Time) bool { return at.Hour() < 20 }))}
	})
}

func TestTheGuardStandsInFrontOfTheTelephoneBill(t *testing.T) {
	cfg := Config{Rules: Rules{Allow: []string{"+98", "110"}, Forbid: []string{"+98909", "0900"}, PerMinute: 100}}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	g := NewGuard(cfg, iran{}, func(at time.Time) bool { return at.Hour() < 20 })
	for number, want := range map[string]string{
		"09121234567": "", "+989121234567": "", "0912 123-4567": "", "۰۹۱۲۱۲۳۴۵۶۷": "", "110": "", "102": "",
		"09091234567": "forbidden", "+989091234567": "forbidden", "00989091234567": "forbidden", "0900123": "forbidden",
		"0044700900123": "forbidden", "+1900123456": "forbidden", "12345678": "forbidden",
		"0912123456789012": "length", "x": "number", "": "number", "0912&101": "number", "0912@x": "number", "${SHELL(x)}": "number",
	} {
		if _, why := g.Check("sara", number, noon); why != want {
			t.Errorf("%q: %q, want %q", number, why, want)
		}
	}
	if _, why := g.Check("sara", "09121234567", noon.Add(9*time.Hour)); why != "hours" {
		t.Errorf("at night: %q", why)
	}
	if n, _ := g.Check("sara", "+98 912 123 4567", noon); n.Dial != "909121234567" || n.E164 != "+989121234567" || n.Inside {
		t.Errorf("have %+v", n)
	}
}

func TestTheGuardCounts(t *testing.T) {
	cfg := Config{Rules: Rules{PerMinute: 2, PerHour: 3, PerDay: 4}}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	g := NewGuard(cfg, iran{}, func(time.Time) bool { return true })
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after time.Duration
		user  string
		want  string
	}{
		{0, "sara", ""},
		{time.Second, "sara", ""},
		{2 * time.Second, "sara", "rate"},
		{2 * time.Second, "reza", ""},
		{70 * time.Second, "sara", ""},
		{3 * time.Minute, "sara", "rate"},
		{2 * time.Hour, "sara", ""},
		{4 * time.Hour, "sara", "rate"},
		{25 * time.Hour, "sara", ""},
	} {
		if _, why := g.Check(c.user, "09121234567", noon.Add(c.after)); why != c.want {
			t.Errorf("%s after %v: %q, want %q", c.user, c.after, why, c.want)
		}
	}
}

// Every refusal and every result has a sentence.
func TestTextsAreInTheCatalogue(t *testing.T) {
	words := lang.New()
	for _, why := range []string{"request", "off", "extension", "length", "busy", "caller_id", "self", "number", "forbidden", "hours", "rate"} {
		if !words.Has("clicktocall.refused." + why) {
			t.Errorf("clicktocall.refused.%s has no text", why)
		}
	}
	for _, r := range []call.Result{call.Busy, call.Rejected, call.NoAnswer, call.Failed, call.Cancelled, call.Lost} {
		if !words.Has("clicktocall.ended.agent_" + string(r)) {
			t.Errorf("clicktocall.ended.agent_%s has no text", r)
		}
	}
	for _, d := range []call.Disposition{
		call.CallAnsweredD, call.Missed, call.CallBusy, call.CallRejected, call.CallCancelled, call.CallFailed, call.CallLost,
	} {
		if !words.Has("clicktocall.ended." + string(d)) {
			t.Errorf("clicktocall.ended.%s has no text", d)
		}
	}
}
