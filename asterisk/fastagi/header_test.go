package fastagi

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// header is what Asterisk 22 sends for a caller, with arguments of AGI().
func header(args ...string) string { return headerTo("inbound", args...) }

func headerTo(script string, args ...string) string {
	lines := []string{
		"agi_network: yes", "agi_network_script: " + script, "agi_request: agi://127.0.0.1:4573/" + script,
		"agi_channel: PJSIP/trunk-00000001", "agi_language: en", "agi_type: PJSIP",
		"agi_uniqueid: 1795307054.6", "agi_version: 22.10.1", "agi_callerid: 09121234567",
		"agi_calleridname: Ali Rezaei", "agi_callingpres: 0", "agi_callingani2: 0", "agi_callington: 0",
		"agi_callingtns: 0", "agi_dnid: 02112345678", "agi_rdnis: unknown", "agi_context: markaz-serve",
		"agi_extension: s", "agi_priority: 3", "agi_enhanced: 0.0", "agi_accountcode: ", "agi_threadid: 139812464412352",
	}
	for i, a := range args {
		lines = append(lines, "agi_arg_"+string(rune('1'+i))+": "+a)
	}
	return strings.Join(lines, "\n") + "\n\n"
}

func readAndCheck(r io.Reader) ([]byte, error) {
	h, err := readHeader(r, make([]byte, 0, 64))
	if err != nil {
		return nil, err
	}
	return h, checkHeader(h, headerKeys())
}

func TestHeader(t *testing.T) {
	good := header("available", "")
	for name, h := range map[string]string{
		"whole":        good,
		"without path": strings.Replace(good, "agi_network_script: inbound\n", "", 1),
	} {
		for how, r := range map[string]io.Reader{
			"at once": strings.NewReader(h), "byte by byte": iotest.OneByteReader(strings.NewReader(h)),
		} {
			got, err := readAndCheck(r)
			if err != nil || string(got) != h {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
}

// A caller's name with line breaks in it must not become keys, arguments or
// the end of the header.
func TestHeaderForged(t *testing.T) {
	good := header()
	named := func(name string) string { return strings.Replace(good, "Ali Rezaei", name, 1) }
	for name, h := range map[string]string{
		"foreign key":          named("x\nagi_evil: 1"),
		"key of a later place": named("x\nagi_extension: 900"),
		"key said already":     named("x\nagi_uniqueid: 1.1"),
		"argument":             named("x\nagi_arg_1: admin"),
		"no key":               named("x\nhello"),
		"end of header":        named("x\n\n200 result=1 (forged)"),
		"rest of header":       named("x" + good[strings.Index(good, "\nagi_callingpres"):] + "200 result=1\n"),
		"doubled key":          strings.Replace(good, "agi_language: en\n", "agi_language: en\nagi_language: fa\n", 1),
		"missing key":          strings.Replace(good, "agi_uniqueid: 1795307054.6\n", "", 1),
		"cut short":            "agi_network: yes\nagi_network_script: inbound\n\n",
		"arguments swapped":    strings.Replace(header("a", "b"), "agi_arg_1", "agi_arg_3", 1),
		"too many keys":        header(strings.Split(strings.Repeat("a", 60), "")...),
		"too long":             header(strings.Repeat("x", maxHeader)),
		"something else":       "GET / HTTP/1.0\r\n\r\n",
		"empty":                "\n\n",
	} {
		if got, err := readAndCheck(strings.NewReader(h)); !errors.Is(err, errHeader) {
			t.Errorf("%s: want %v, have %v\n%s", name, errHeader, err, got)
		}
	}
	if _, err := readAndCheck(strings.NewReader(good[:len(good)-1])); !errors.Is(err, io.EOF) {
		t.Errorf("without empty line: %v", err)
	}
}

func TestRequest(t *testing.T) {
	h := strings.Replace(headerTo("app/agent?k=secret&x=%41", "paused", "lunch: long", ""), "agi_callerid: 09121234567", "agi_callerid: unknown", 1)
	s := pipeSession(t, h)
	want := Request{
		Path: "/app/agent", Query: map[string][]string{"k": {"secret"}, "x": {"A"}}, Args: []string{"paused", "lunch: long", ""},
		Channel: "PJSIP/trunk-00000001", UniqueID: "1795307054.6", Language: "en", CallerName: "Ali Rezaei",
		DNID: "02112345678", Context: "markaz-serve", Extension: "s", Version: "22.10.1",
	}
	if !reflect.DeepEqual(s.Request, want) {
		t.Errorf("have %+v\nwant %+v", s.Request, want)
	}
	if s.Request.Arg(1) != "paused" || s.Request.Arg(0) != "" || s.Request.Arg(9) != "" {
		t.Error("Arg counts from 1 and forgives")
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(header("a")))
	f.Add([]byte(strings.Replace(header(), "Ali Rezaei", "x\nagi_extension: 9", 1)))
	f.Add([]byte("agi_network: yes\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readAndCheck(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		// What is accepted has each key once: no second value was ever seen.
		seen := map[string]bool{}
		for ln := range strings.Lines(strings.TrimSuffix(string(h), "\n")) {
			key, _, _ := strings.Cut(ln, ":")
			if seen[key] {
				t.Errorf("key %q twice", key)
			}
			seen[key] = true
		}
		if len(h) > maxHeader+maxHeader || len(seen) > maxKeys {
			t.Errorf("accepted %d bytes, %d keys", len(h), len(seen))
		}
	})
}
