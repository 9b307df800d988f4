package lang

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"markaz/call"
)

func TestEveryLanguageHasEveryKey(t *testing.T) {
	c := New()
	if got := c.Languages(); !slices.Equal(got, []string{"en", "fa", "ru", "zh"}) {
		t.Fatalf("languages = %v", got)
	}
	want := c.tables[Default].messages
	for _, name := range c.Languages() {
		have := c.tables[name].messages
		for key := range want {
			if _, ok := have[key]; !ok {
				t.Errorf("%s: key %s is missing", name, key)
			}
		}
		for key := range have {
			if _, ok := want[key]; !ok {
				t.Errorf("%s: key %s is not in %s", name, key, Default)
			}
		}
	}
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

func placeholders(s text) []string {
	return slices.Compact(slices.Sorted(slices.Values(placeholder.FindAllString(string(s), -1))))
}

// Ensure that a translation neither loses a value nor asks for one that the
// caller does not give. A form for a single number may spell the number out.
func TestPlaceholdersAgree(t *testing.T) {
	c := New()
	for _, name := range c.Languages() {
		for key, m := range c.tables[name].messages {
			want := placeholders(c.tables[Default].messages[key]["other"])
			for form, s := range m {
				got := placeholders(s)
				if strings.HasPrefix(form, "=") {
					got = slices.Compact(slices.Sorted(slices.Values(append(got, "{n}"))))
				}
				// YAML examples hold braces of their own.
				if !slices.Equal(got, want) && !strings.Contains(string(s), "routes:") {
					t.Errorf("%s: %s (%s): placeholders %v, want %v", name, key, form, got, want)
				}
				if strings.TrimSpace(string(s)) != string(s) || s == "" {
					t.Errorf("%s: %s (%s): empty or padded", name, key, form)
				}
			}
		}
	}
}

// Ensure that where a sentence has plural forms, it has all those that its
// language needs, and no others.
func TestPluralFormsAreComplete(t *testing.T) {
	c := New()
	for _, name := range c.Languages() {
		tag := c.tables[name].tag
		needed := map[string]bool{"other": true}
		for n := range int64(200) {
			needed[category(tag, n)] = true
		}
		for key, m := range c.tables[name].messages {
			if _, ok := m["other"]; !ok {
				t.Errorf("%s: %s has no form other", name, key)
			}
			forms := maps.Clone(m)
			maps.DeleteFunc(forms, func(f string, _ text) bool { return strings.HasPrefix(f, "=") })
			for f := range forms {
				if !needed[f] {
					t.Errorf("%s: %s has a form %q that the language does not know", name, key, f)
				}
			}
			if len(forms) > 1 && len(forms) != len(needed) {
				t.Errorf("%s: %s has forms %v, want %v", name, key, slices.Sorted(maps.Keys(forms)), slices.Sorted(maps.Keys(needed)))
			}
		}
	}
}

func TestPlurals(t *testing.T) {
	c := New()
	tests := []struct {
		lang, key string
		n         int
		want      string
	}{
		{"en", "count.calls", 1, "1 call"},
		{"en", "count.calls", 0, "0 calls"},
		{"ru", "count.calls", 1, "1 звонок"},
		{"ru", "count.calls", 3, "3 звонка"},
		{"ru", "count.calls", 11, "11 звонков"},
		{"ru", "count.calls", 21, "21 звонок"},
		{"ru", "count.calls", 112, "112 звонков"},
		{"fa", "count.calls", 7, "7 تماس"},
		{"zh", "count.calls", 2, "2 个通话"},
		{"en", "spoken.position", 1, "You are first in line."},
		{"en", "spoken.position", 2, "You are number 2 in line."},
		{"ru", "spoken.wait", 2, "Примерное время ожидания: две минуты."},
		{"ru", "spoken.wait", 5, "Примерное время ожидания: 5 минут."},
		{"ru", "spoken.wait", 24, "Примерное время ожидания: 24 минуты."},
		{"zh", "spoken.wait", 2, "预计等待时间约两分钟。"},
	}
	for _, tt := range tests {
		if got := c.T(tt.lang, tt.key, "n", tt.n); got != tt.want {
			t.Errorf("T(%s, %s, %d) = %q, want %q", tt.lang, tt.key, tt.n, got, tt.want)
		}
	}
}

// A Russian number before "минута" must be feminine, which a speech program
// does not know: every number up to an hour that ends in one or two, but for
// eleven and twelve, is spelt out.
func TestRussianMinutesAreFeminine(t *testing.T) {
	c := New()
	for n := 1; n <= 60; n++ {
		spelt := !strings.ContainsAny(c.T("ru", "spoken.wait", "n", n), "0123456789")
		want := n%10 <= 2 && n%10 > 0 && n != 11 && n != 12
		if spelt != want {
			t.Errorf("%d minutes: spelt out = %v, want %v", n, spelt, want)
		}
	}
}

func TestFallBacks(t *testing.T) {
	c := New()
	if got := c.T("de-CH", "agent.paused"); got != "paused" {
		t.Errorf("unknown language gives %q", got)
	}
	if got := c.T("fa", "no.such.key"); got != "no.such.key" {
		t.Errorf("unknown key gives %q", got)
	}
	if got := (Words{}).T("agent.paused"); got != "agent.paused" {
		t.Errorf("zero Words give %q", got)
	}
	for tag, want := range map[string]string{"fa-IR": "fa", "zh_CN.UTF-8": "zh", "RU": "ru", "C": "en", "": "en"} {
		if got, _ := c.Match(tag); got != want {
			t.Errorf("Match(%q) = %q, want %q", tag, got, want)
		}
	}
	if got := c.In("fa_IR").Lang(); got != "fa" {
		t.Errorf("In gives %q", got)
	}
}

// Ensure that a value that looks like a placeholder stays what it is.
func TestValuesAreNotExpanded(t *testing.T) {
	got := New().T("en", "check.unknown", "kind", "{value}", "value", "{known}{kind}")
	if want := "“{known}{kind}” is not one of the {value}."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Ensure that every word of the call vocabulary can be shown.
func TestVocabularyIsCovered(t *testing.T) {
	c := New()
	var keys []string
	add := func(prefix string, words ...string) {
		for _, w := range words {
			keys = append(keys, prefix+w)
		}
	}
	add("direction.", string(call.Inbound), string(call.Outbound), string(call.Internal))
	add("origin.", string(call.PSTN), string(call.ClickToCall), string(call.Callback), string(call.Campaign), string(call.Transfer))
	for _, s := range []call.State{call.StateNew, call.StateRouting, call.StateIVR, call.StateQueued, call.StateRinging, call.StateTalking, call.StateHeld, call.StateEnded} {
		add("state.", string(s))
	}
	for _, d := range []call.Disposition{
		call.CallAnsweredD, call.Missed, call.AbandonedIVR, call.AbandonedQueue, call.AbandonedRinging, call.Voicemail,
		call.CallbackScheduled, call.AfterHours, call.Blocked, call.CallBusy, call.CallRejected, call.CallCancelled, call.CallFailed, call.CallLost,
	} {
		add("disposition.", string(d))
	}
	for _, r := range []call.Result{call.Answered, call.NoAnswer, call.Busy, call.Rejected, call.Cancelled, call.AnsweredElsewhere, call.Failed, call.Transferred, call.Lost} {
		add("result.", string(r))
	}
	for _, r := range []call.Role{call.RoleCaller, call.RoleAgent, call.RoleExternal, call.RoleIVR, call.RoleQueue, call.RoleGroup, call.RoleVoicemail, call.RoleConference, call.RoleSupervisor} {
		add("role.", string(r))
	}
	add("party.", string(call.ByCaller), string(call.ByAgent), string(call.ByRemote), string(call.BySystem), string(call.ByPBX))
	for _, key := range keys {
		if !c.Has(key) {
			t.Errorf("no text for %s", key)
		}
	}
}

// Ensure that every remedy belongs to a finding and every finding has one.
func TestFindingsHaveRemedies(t *testing.T) {
	c := New()
	for _, key := range c.Keys("check.") {
		finding, isFix := strings.CutSuffix(key, ".fix")
		if isFix && !c.Has(finding) || !isFix && !c.Has(key+".fix") {
			t.Errorf("%s has no counterpart", key)
		}
	}
}

func TestSpeakable(t *testing.T) {
	c := New()
	for _, name := range c.Languages() {
		for _, key := range c.Keys("spoken.") {
			if err := Speakable(c.T(name, key, "n", 3, "key", "0")); err != nil {
				t.Errorf("%s: %s: %v", name, key, err)
			}
		}
	}
	for _, s := range []string{"", " ", "…", "a\nb", "a\x00b", "a\x1b[0m", "\xff\xfea", "a\u202eb", strings.Repeat("ا", MaxSpoken+1)} {
		if Speakable(s) == nil {
			t.Errorf("Speakable(%q) found nothing wrong", s)
		}
	}
	for _, s := range []string{"$(touch x); `y` | \"z\"", "می\u200cخواهم", strings.Repeat("ا", MaxSpoken), "7"} {
		if err := Speakable(s); err != nil {
			t.Errorf("Speakable(%q): %v", s, err)
		}
	}
}
