package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"markaz/call"
	"markaz/legacy/testbed"
)

// outcome is what a command printed, and its exit code.
func (s *stage) outcome(args ...string) (code int, out string) {
	s.t.Helper()
	cmd := s.command(args...)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	_ = cmd.Run() // the code says it
	return cmd.ProcessState.ExitCode(), b.String()
}

func (s *stage) wants(code int, words []string, args ...string) {
	s.t.Helper()
	got, out := s.outcome(args...)
	if got != code {
		s.t.Errorf("%v: exit %d, want %d", args, got, code)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			s.t.Errorf("%v does not say %q", args, w)
		}
	}
	if s.t.Failed() {
		s.t.Logf("%v says\n%s", args, out)
	}
}

// A test of a source says in plain words how it stands; without a sidecar it
// connects by itself, and what comes meanwhile is not lost.
func TestSourceIsTested(t *testing.T) {
	t.Parallel()
	pbx, address := exchange(t, testbed.Options{User: "SMDR", Password: "PCCSMDR", Split: rand.New(rand.NewPCG(1, 2)), LockOut: time.Second})
	_, strict := exchange(t, testbed.Options{User: "SMDR", Password: "PCCSMDR"})
	_, silent := exchange(t, testbed.Options{})
	other, turned := exchange(t, testbed.Options{})
	device, port, err := testbed.Pty()
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	web := freeAddress(t)
	recorder := t.TempDir()
	tcp := func(key, user, address string) string {
		if key == "good" {
			user += fmt.Sprintf("}, telsa: {dir: %q", recorder)
		}
		order := "DD/MM/YY"
		if key == "turned" {
			order = "MM/DD/YY"
		}
		return source("key: "+key, "model: KX-NS500", "date: "+order, strings.Replace(fmt.Sprintf("connection: {type: tcp, address: %q%s}", address, user), ", telsa", "\n    telsa", 1))
	}
	s := newStage(t, web, tcp("good", ", login: {user: SMDR, password: PCCSMDR}", address)+
		tcp("wrong", ", login: {user: SMDR, password: guess}", strict)+
		tcp("away", "", freeAddress(t))+tcp("silent", "", silent)+tcp("turned", "", turned)+
		source("key: lines", "profile: segal", fmt.Sprintf("connection: {type: serial, serial: {port: %q}}", port))+
		source("key: gone", "profile: segal", `connection: {type: serial, serial: {port: /dev/nothing}}`))
	called := time.Date(time.Now().Year()-1, 1, 23, 9, 0, 0, 0, time.Local)
	for _, l := range testbed.Outgoing(called, "204", 3, "09121112233", time.Minute) {
		pbx.Print(l.Text)
		other.Print(l.Text)
	}
	s.wants(exitOK, []string{"No sidecar is at work", "connected: true", "all dated lines (1): DD/MM/YY (set), YY/MM/DD", "no ring record"}, "test", "good", "--for", "4s")
	s.wants(exitRefused, []string{"user or password is wrong"}, "test", "wrong", "--for", "20s")
	s.wants(exitUnreachable, []string{"cannot be reached", "refused"}, "test", "away", "--for", "500ms")
	s.wants(exitOK, []string{"nothing has come yet"}, "test", "silent", "--for", "500ms")
	s.wants(exitOK, []string{"all dated lines (1): DD/MM/YY, YY/MM/DD", "! date: MM/DD/YY is set, and cannot be"}, "test", "turned", "--for", "2s")
	s.wants(exitUnreachable, []string{"port cannot be opened", "serial ports of this machine"}, "test", "gone", "--for", "500ms")
	s.wants(exitConfig, []string{"there is no source"}, "test", "nobody")

	go garbage(device)
	s.wants(exitOK, []string{"the eighth bit", "parity: even"}, "test", "lines", "--for", "2s")

	leave(t, filepath.Join(recorder, "Archive", "03", "a.gsm"), called.Add(time.Minute))
	s.start()
	s.until("the call that came during the test", func(e call.Event) bool { return e.Kind == call.CallEnded && e.Source == "good" })
	s.answers(web)
	stopped := s.until("the recording", func(e call.Event) bool { return e.Kind == call.RecordingStopped })
	fetched(t, web, stopped)
	s.wants(exitOK, []string{"The sidecar at work", "connected: true"}, "test", "good")
	s.stop()
}

// garbage is what a line of 7 bits and even parity looks like at 8 bits.
func garbage(device *os.File) {
	text := []byte(strings.Repeat("L1C0912@L1R01@", 10))
	for i, c := range text {
		n := 0
		for ; c != 0; c &= c - 1 {
			n++
		}
		if n%2 == 1 {
			text[i] |= 0x80
		}
	}
	time.Sleep(500 * time.Millisecond)
	_, _ = device.Write(text) // the test sees whether it came
}

// leave leaves a recorder's file, 50 s of GSM, as if written at a time.
func leave(t *testing.T, path string, at time.Time) {
	t.Helper()
	sound := bytes.Repeat(append([]byte{0xd0}, make([]byte, 32)...), 2500)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, sound, 0o644), os.Chtimes(path, at, at)); err != nil {
		t.Fatal(err)
	}
}

// fetched fetches a recording as Markaz does: with the token, as WAV.
func fetched(t *testing.T, web string, e call.Event) {
	t.Helper()
	parts := strings.SplitN(e.Recording, "-", 3)
	for _, c := range []struct {
		token, id string
		code      int
	}{{"", parts[2], 401}, {"guess", parts[2], 401}, {token, "t0123456789abcdef", 404}, {token, parts[2], 200}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+web+"/sources/"+parts[1]+"/recordings/"+c.id, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.code || c.code == 200 && (string(b[:4]) != "RIFF" || len(b) != 48+1250*65) {
			t.Errorf("token %q, %s: %s, %d bytes, %v", c.token, c.id, resp.Status, len(b), err)
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
