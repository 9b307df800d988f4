package recorder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const aCall = "01KM5RZH3R0000000000000000"

var begun = time.Date(2026, 3, 20, 21, 30, 5, 0, time.UTC)

func tehran(t testing.TB) *time.Location {
	zone, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestName(t *testing.T) {
	zone := tehran(t)
	for _, tt := range []struct{ id, from, to, want string }{
		{aCall + "-r1", "+989121234567", "101", "2026/03/21/010005_" + aCall + "-r1_+989121234567_101.wav"},
		{aCall, "", "", "2026/03/21/010005_" + aCall + "_unknown_unknown.wav"},
		{aCall, "0912***4567", "*101#", "2026/03/21/010005_" + aCall + "_0912-4567_101.wav"},
		{aCall, "../../etc/passwd", "a/b\\c\x00d", "2026/03/21/010005_" + aCall + "_..-..-etc-passwd_a-b-c-d.wav"},
		{aCall, "٠٩١٢", "a_b c", "2026/03/21/010005_" + aCall + "_unknown_a-b-c.wav"},
		{aCall, strings.Repeat("9", 300), "$(reboot)", "2026/03/21/010005_" + aCall + "_" + strings.Repeat("9", 32) + "_reboot.wav"},
	} {
		if got := Name(begun.In(zone), tt.id, tt.from, tt.to); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// TestNameIsAlwaysSafe: whatever the numbers are, the name is one file in one
// folder of a day, is of bounded length, and is read back.
func TestNameIsAlwaysSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := Name(begun, aCall+"-r1", rapid.String().Draw(t, "from"), rapid.String().Draw(t, "to"))
		if len(name) > 255 || !filepath.IsLocal(name) || strings.Count(name, "/") != 3 {
			t.Fatalf("not safe: %q", name)
		}
		for _, r := range strings.ReplaceAll(name, "/", "") {
			if !fitForName(r) {
				t.Fatalf("%q holds %q", name, r)
			}
		}
		if got, ok := parse(name, time.UTC); !ok || got.id != aCall+"-r1" || !got.day.Equal(begun.Truncate(24*time.Hour)) {
			t.Fatalf("%q is read as %+v, %v", name, got, ok)
		}
	})
}

func TestCallOf(t *testing.T) {
	for id, want := range map[string]bool{
		aCall: true, aCall + "-r1": true, aCall + "r1": false, aCall[1:]: false, "": false, "recording-1": false,
		aCall + "-" + strings.Repeat("r", 80): false, aCall + "-../x": false, strings.ToLower(aCall): false,
	} {
		got, ok := callOf(id)
		if ok != want || ok && got != aCall {
			t.Errorf("%q: %q, %v", id, got, ok)
		}
	}
}

// hostile makes more than three hundred paths that lead, or try to lead, out
// of the archive or to what is not a recording.
func hostile(secret string) []string {
	good := Name(begun, aCall, "1", "2")
	day := filepath.ToSlash(filepath.Dir(good))
	ups := []string{"..", "...", "%2e%2e", "%252e%252e", "..%00", "..\x00", "..\\", "\xc0\xae\xc0\xae", "．．", ".", "", " ", "~", "$HOME", "C:", "//", "%c0%af"}
	seps := []string{"/", "\\", "%2f", "%5c", "/./", "//", "\xc0\xaf"}
	var paths []string
	for _, up := range ups {
		for _, sep := range seps {
			for _, depth := range []int{1, 4} {
				climb := strings.Repeat(up+sep, depth)
				paths = append(paths, climb+"secret.wav", day+"/"+climb+"secret.wav", climb+good)
			}
		}
	}
	return append(paths, secret, "/"+good, good+"\x00", good+"/", good+"/.", "./"+good, good+".deleted", strings.ToUpper(good),
		"2026/02/30/000000_x_1_2.wav", "2026/03/20", "2026/03/20/", day+"/.000000_x_1_2.wav.part", day+"/link_x_1_2.wav", "", ".", "..", "/")
}

func TestNothingElseIsOpened(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.wav")
	write(t, secret, "secret")
	a, err := OpenArchive(filepath.Join(dir, "archive"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	good := Name(begun, aCall, "1", "2")
	if _, err := a.put(good, func(w io.Writer) error { _, err := w.Write(tone(8000, 1)); return err }); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"210000_linkout_1_2.wav", "210000_linkup_1_2.wav"} {
		target := map[bool]string{true: secret, false: "../../../../secret.wav"}[strings.Contains(link, "out")]
		if err := os.Symlink(target, filepath.Join(dir, "archive", filepath.Dir(good), link)); err != nil {
			t.Fatal(err)
		}
	}
	paths := append(hostile(secret), filepath.Dir(good)+"/210000_linkout_1_2.wav", filepath.Dir(good)+"/210000_linkup_1_2.wav")
	if len(paths) < 300 {
		t.Fatalf("only %d paths", len(paths))
	}
	for _, p := range paths {
		f, err := a.Open(p)
		if err == nil {
			data, _ := io.ReadAll(f)
			t.Fatalf("%q is opened: %q", p, data[:min(len(data), 10)])
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", p, err)
		}
	}
	f, err := a.Open(good)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

// TestNoLinkIsFollowedOut: a folder of a day that is a link to elsewhere is
// neither written to nor read.
func TestNoLinkIsFollowedOut(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	if err := errors.Join(os.Mkdir(outside, 0o755), os.MkdirAll(filepath.Join(dir, "archive/2026/03"), 0o755), os.Symlink(outside, filepath.Join(dir, "archive/2026/03/20"))); err != nil {
		t.Fatal(err)
	}
	a, err := OpenArchive(filepath.Join(dir, "archive"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	if _, err := a.put(Name(begun, aCall, "1", "2"), func(w io.Writer) error { _, err := w.Write(tone(8000, 1)); return err }); err == nil {
		t.Error("a recording was written through a link")
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("outside lies %v", left)
	}
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// TestPutLeavesNothingAfterAnError, whatever goes wrong.
func TestPutLeavesNothingAfterAnError(t *testing.T) {
	dir := t.TempDir()
	a, err := OpenArchive(dir, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	name := Name(begun, aCall, "1", "2")
	broken := errors.New("line broke")
	for what, fill := range map[string]func(io.Writer) error{
		"line broke":     func(w io.Writer) error { _, _ = w.Write(tone(8000, 1)[:500]); return broken },
		"nothing came":   func(io.Writer) error { return nil },
		"something else": func(w io.Writer) error { _, err := fmt.Fprint(w, "<html>404</html>"); return err },
	} {
		if _, err := a.put(name, fill); err == nil {
			t.Errorf("%s: stored", what)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "2026/03/20/*")); len(left) > 0 {
			t.Errorf("%s: left %v", what, left)
		}
		if hidden, _ := filepath.Glob(filepath.Join(dir, "2026/03/20/.*")); len(hidden) > 0 {
			t.Errorf("%s: left %v", what, hidden)
		}
	}
}
