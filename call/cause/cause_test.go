package cause_test

import (
	"fmt"
	"strings"
	"testing"

	"markaz/call"
	"markaz/call/cause"
	"markaz/lang"
)

// What the requirements' list of providers' texts says.
func TestProvidersTexts(t *testing.T) {
	for in, want := range map[string]string{
		"401 Expired Authorization": "expired pbx", "403 No Such User": "no_user administrator", "403 User Disabled": "disabled administrator",
		"403 Wrong Guess": "wrong_password administrator", "403 Conflict": "conflict administrator", "403 Caller Not Registered": "unregistered pbx",
		"403 Empty Route Set": "no_route provider", "480 Empty Route Set": "no_route provider", "410 No Route": "no_route provider",
		"403 Out of Look-Ahead Retries": "all_tried provider", "403 Invalid Phone Number": "no_direction caller", "480 Invalid Phone Number": "bad_number caller",
		"403 No Money Left on RFC Account": "no_money accounts", "480 No Money Left on RFC Account": "no_money accounts", "480 No money left": "no_money accounts",
		"503 insufficient  FUNDS!": "no_money accounts",
		"404 Undefined Reason":     "undefined provider", "404 Unknown user account": "unknown_login provider", "404 Out of Order": "no_gateway provider",
		"406 No codecs match": "no_codec administrator", "480 Codec Mismatch": "no_codec administrator", "488 Codec Mismatch": "no_codec administrator",
		"499 Codec Mismatch": "no_codec administrator", "415 No Media": "no_codec administrator", "408 Login timed out": "login_timeout provider",
		"480 Destination Not Found In Client Plan": "not_in_tariff provider", "480 Wrong DB Response": "provider_db provider",
		"500 DB Timeout": "provider_db provider", "500 Database Error": "provider_db provider", "488 Private IP Address": "private_ip administrator",
		"500 Undefined Reason": "provider_fault provider", "500 account has been moved to a remote system": "moved provider",
	} {
		code, text, _ := strings.Cut(in, " ")
		var sip int
		if _, err := fmt.Sscan(code, &sip); err != nil {
			t.Fatal(err)
		}
		m := cause.New().Of(sip, 21, text)
		if got := strings.TrimPrefix(m.Key, "cause.text.") + " " + string(m.Actor); got != want {
			t.Errorf("%s means %s, want %s", in, got, want)
		}
		if m.Money != strings.HasPrefix(want, "no_money") {
			t.Errorf("%s: alarm %v", in, m.Money)
		}
	}
}

func TestTheFinerCodeCounts(t *testing.T) {
	for _, tc := range []struct {
		sip, q850 int
		text, key string
		actor     cause.Actor
	}{
		{480, call.CauseNoAnswer, "", "cause.q850.19", cause.Caller},
		{480, call.CauseNoAnswer, "Temporarily Unavailable", "cause.q850.19", cause.Caller},
		{403, call.CauseRejected, "Forbidden", "cause.sip.403", cause.Provider},
		{603, call.CauseRejected, "", "cause.sip.603", cause.Caller},
		{0, call.CauseNormal, "", "cause.q850.16", ""},
		{200, call.CauseNormal, "no money left", "cause.sip.200", ""}, // a name that a caller chose is no alarm
		{402, 0, "", "cause.sip.402", cause.Accounts},
		{499, 0, "", "cause.sip.499", cause.Administrator},
		{477, 0, "what\x00 a phrase", "cause.unknown.sip", cause.Administrator},
		{0, 126, "", "cause.unknown.q850", ""},
		{0, 0, "", "cause.none", ""},
		{404, 0, "Conflict", "cause.sip.404", cause.Caller}, // a text of another code
	} {
		m := cause.New().Of(tc.sip, tc.q850, tc.text)
		if m.Key != tc.key || m.Actor != tc.actor {
			t.Errorf("%d %d %q: got %s %s, want %s %s", tc.sip, tc.q850, tc.text, m.Key, m.Actor, tc.key, tc.actor)
		}
	}
}

// Every code of the standards that can end a call has a meaning, and every
// meaning its words in each language.
func TestEveryCodeHasWords(t *testing.T) {
	words, table := lang.New(), cause.New()
	known := 0
	check := func(m cause.Meaning) {
		if strings.HasPrefix(m.Key, "cause.unknown") {
			return
		}
		known++
		for _, l := range words.Languages() {
			for _, key := range []string{m.Key, m.ActorKey(), m.Advice} {
				if key != "" && words.T(l, key) == key {
					t.Errorf("%s: no words for %s", l, key)
				}
			}
		}
		if (m.Actor == "") != (m.Advice == "") {
			t.Errorf("%s: actor %q, advice %q", m.Key, m.Actor, m.Advice)
		}
	}
	for sip := 100; sip < 700; sip++ {
		check(table.Of(sip, 0, ""))
	}
	for q := 1; q < 128; q++ {
		check(table.Of(0, q, ""))
	}
	if known < 130 {
		t.Errorf("only %d codes are known", known)
	}
}
