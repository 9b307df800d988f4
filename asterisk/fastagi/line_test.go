package fastagi

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// parseArgs takes a command apart as parse_args in Asterisk's res_agi.c does.
func parseArgs(s string) []string {
	var args []string
	var cur []byte
	quoted, escaped, blank := false, false, true
	word := func() {
		if blank {
			args, cur, blank = append(args, ""), nil, false
		}
	}
	for _, c := range []byte(s) {
		switch {
		case c == '"' && !escaped:
			quoted = !quoted
			if quoted {
				word()
			}
		case (c == ' ' || c == '\t') && !quoted && !escaped:
			blank = true
		case c == '\\' && !escaped:
			escaped = true
			continue
		default:
			word()
			cur = append(cur, c)
			args[len(args)-1] = string(cur)
		}
		escaped = false
	}
	return args
}

// Whatever an argument holds, Asterisk reads one command with that argument,
// or nothing is sent.
func TestLineIsOneCommand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.StringMatching(`[\\" \t\r\na]{0,12}`)), 1, 4).Draw(t, "args")
		l := command(nil, "EXEC Set")
		for _, w := range words {
			l = l.arg(w)
		}
		sent, err := l.num(-7).done()
		refuse := strings.ContainsAny(strings.Join(words, ""), "\r\n\x00")
		if refuse || len(l.b) > maxLine {
			if !errors.Is(err, ErrArgument) || sent != nil {
				t.Fatalf("%q was not refused: %q, %v", words, sent, err)
			}
			return
		}
		if err != nil || bytes.IndexByte(sent, '\n') != len(sent)-1 || bytes.ContainsAny(sent, "\r\x00") {
			t.Fatalf("sent %q, %v", sent, err)
		}
		want := append(append([]string{"EXEC", "Set"}, words...), "-7")
		if got := parseArgs(strings.TrimSuffix(string(sent), "\n")); strings.Join(got, "\x00") != strings.Join(want, "\x00") {
			t.Fatalf("sent %q: Asterisk reads %q, want %q", sent, got, want)
		}
	})
}

func TestLineNotLongerThanAsteriskReads(t *testing.T) {
	fits := strings.Repeat("x", maxLine-len(`VERBOSE ""`))
	if _, err := command(nil, "VERBOSE").arg(fits).done(); err != nil {
		t.Error(err)
	}
	if _, err := command(nil, "VERBOSE").arg(fits + "x").done(); !errors.Is(err, ErrArgument) {
		t.Errorf("want %v, have %v", ErrArgument, err)
	}
	if _, err := command(nil, "VERBOSE").arg(strings.Repeat(`"`, maxLine/2)).done(); !errors.Is(err, ErrArgument) {
		t.Errorf("quoted too long: %v", err)
	}
}

func TestVariableNames(t *testing.T) {
	for _, name := range []string{"X", "MARKAZ_TO", "TIMEOUT(absolute)", "CALLERID(num)"} {
		if !variable(name) {
			t.Errorf("%q is a variable", name)
		}
	}
	for _, name := range []string{"", "A B", "A\nB", "${A}", "A,B", `A"`, "A}", "A|B", "A:1"} {
		if variable(name) {
			t.Errorf("%q is not a variable", name)
		}
	}
}
