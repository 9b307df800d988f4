package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs a command line with bytes on its standard input.
func command(t *testing.T, in string, args ...string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(context.Background(), args, console{strings.NewReader(in), &o, &e})
	return code, o.String(), e.String()
}

func TestParse(t *testing.T) {
	lines := "  Date     Time    Ext CO\r\n23/10/26 09:41AM   204 03 <I>02188776655            0'09 00:03'20\r\nhello\r\n"
	code, out, _ := command(t, lines, "parse", "--model", "KX-TDA200", "--date", "DD/MM/YY")
	if code != exitOK || strings.Count(out, "\n") != 2 || !strings.Contains(out, `"number":"02188776655"`) || !strings.Contains(out, `"kind":"header"`) {
		t.Errorf("exit %d\n%s", code, out)
	}
	code, out, _ = command(t, "L1C0912@L1HF@L1HND: T0257@L2HF@L2D9@L2HND:9 T0000@", "parse", "--profile", "segal")
	var got []string
	for line := range strings.Lines(out) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"kind", "direction", "ext", "trunk", "number", "hidden", "start", "ring_s", "duration_s", "missed", "transferred", "account", "condition"} {
			if _, ok := v[key]; !ok {
				t.Errorf("no %s in %s", key, line)
			}
		}
		got = append(got, fmt.Sprint(v["kind"], " ", v["direction"], " ", v["trunk"], " ", v["number"], " ", v["duration_s"], " ", v["missed"]))
	}
	want := "ring in 1 0912 <nil> <nil>|answer in 1 0912 <nil> <nil>|call in 1 0912 177 false|off_hook out 2 <nil> <nil> <nil>|digit none 2 <nil> <nil> <nil>|call out 2 9 0 <nil>"
	if code != exitOK || strings.Join(got, "|") != want {
		t.Errorf("exit %d\n%s\nwant %s", code, strings.Join(got, "|"), want)
	}
	code, out, errs := command(t, "31/12/26 09:41AM   204 03 0218877 \xd8\xb9\r\n", "parse", "--model", "KX-TDA200", "--date", "MM/DD/YY", "--charset", "utf-8")
	if code != exitOK || !strings.Contains(out, `"text":"31/12/26 09:41AM   204 03 0218877 ع"`) || !strings.Contains(errs, "impossible as MM/DD/YY") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{
		{"parse", "--model", "KX-1232", "--date", "DD/MM/YY"},
		{"parse", "--model", "KX-TDA200", "--date", "DDMM"},
		{"parse"},
		{"parse", "--profile", "nothing"},
		{"--nothing"},
	} {
		if code, _, err := command(t, "", args...); code != exitConfig || err == "" {
			t.Errorf("%v: exit %d, %s", args, code, err)
		}
	}
}

func TestProfileTest(t *testing.T) {
	if code, out, _ := command(t, "L1C0912@", "profile", "test", "segal"); code != exitOK || !strings.Contains(out, "cid number") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, _, _ := command(t, "L1?@", "profile", "test", "segal"); code != exitFailure {
		t.Errorf("an unknown frame: exit %d", code)
	}
}

func TestCheck(t *testing.T) {
	good := `
dir: /nowhere
sources:
  - key: old
    model: KX-NS500
    date: DD/MM/YY
    connection: {type: tcp, address: "127.0.0.1:2300"}
`
	for want, text := range map[string]string{
		"old: KX-NS500":                   good,
		":6: sources[0].date: date order": strings.Replace(good, "DD/MM/YY", "DDMM", 1),
		":8: sources[0].telsa.mode: ":     good + "    telsa: {dir: /rec, mode: disk}\n",
		`did you mean "zone"?`:            good + "    zon: Asia/Tehran\n",
		"colour":                          good + "colour: red\n",
		"token":                           good + "listen: 0.0.0.0:1\n",
	} {
		path := filepath.Join(t.TempDir(), "legacy.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, err := command(t, "", "--config", path, "check")
		if (code == exitOK) != (text == good) || code != exitOK && code != exitConfig || !strings.Contains(out+err, want) {
			t.Errorf("want %q, exit %d\n%s%s", want, code, out, err)
		}
	}
}
