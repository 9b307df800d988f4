package main

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"markaz/call"
)

const recordingFile = "2026/03/21/083100-in-09121234567.wav"

// linkBench serves one recording of ten bytes on a clock that tests move.
type linkBench struct {
	*links
	srv   *httptest.Server
	clock time.Time
	log   bytes.Buffer
}

func newLinkBench(t *testing.T) *linkBench {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &linkBench{clock: time.Now()}
	s := &server{cfg: defaults(), log: slog.New(slog.NewTextHandler(&b.log, nil))}
	key, err := linkKey(publicConfig{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	s.links = newLinks(publicConfig{Valid: time.Hour}, key, func(file string) (*os.File, error) {
		if file != recordingFile {
			return nil, fs.ErrNotExist
		}
		return os.Open(filepath.Join(dir, "one"))
	}, s.log)
	s.links.now = func() time.Time { return b.clock }
	b.links = s.links
	b.srv = httptest.NewServer(s.publicSide())
	t.Cleanup(b.srv.Close)
	b.base = b.srv.URL
	return b
}

func (b *linkBench) get(t *testing.T, method, address string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	res, err := b.srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body.String(), res.Header
}

func TestARecordingHasAnAddress(t *testing.T) {
	b := newLinkBench(t)
	address := b.Link(call.Recording{File: recordingFile}, 24*time.Hour)
	if status, body, h := b.get(t, "GET", address); status != 200 || body != "0123456789" || h.Get("Content-Type") != "audio/wav" {
		t.Errorf("%s: %d %q %v", address, status, body, h)
	}
	if status, body, _ := b.get(t, "GET", address, "Range", "bytes=2-4"); status != 206 || body != "234" {
		t.Errorf("a part: %d %q", status, body)
	}
	if status, body, h := b.get(t, "HEAD", address); status != 200 || body != "" || h.Get("Content-Length") != "10" {
		t.Errorf("head: %d %q", status, body)
	}
	if status, _, _ := b.get(t, "POST", address); status != http.StatusMethodNotAllowed {
		t.Errorf("post: %d", status)
	}
	if n := testutil.ToFloat64(b.used.WithLabelValues("served")); n != 3 || strings.Count(b.log.String(), "fetched by its address") != 3 {
		t.Errorf("%v uses counted, log:\n%s", n, b.log.String())
	}
	if strings.Contains(b.log.String(), strings.Split(address, "/")[4]) {
		t.Error("the log holds an address that works")
	}
	b.clock = b.clock.Add(time.Hour + time.Second) // the most that the settings allow
	if status, _, _ := b.get(t, "GET", address); status != http.StatusGone {
		t.Errorf("after its time: %d", status)
	}
}

// Nobody can make an address, change one, or take one of another key.
func TestAddressesCannotBeForged(t *testing.T) {
	b := newLinkBench(t)
	address := b.Link(call.Recording{File: recordingFile}, time.Hour)
	token := strings.Split(address, "/")[4]
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if status, _, _ := b.get(t, "GET", strings.Replace(address, token, base64.RawURLEncoding.EncodeToString(bad), 1)); status != 404 {
			t.Fatalf("byte %d changed: %d", i, status)
		}
	}
	other := *b.links
	other.key = bytes.Repeat([]byte{1}, 32)
	for name, bad := range map[string]string{
		"other name": address + "x", "other key": other.Link(call.Recording{File: recordingFile}, time.Hour),
		"cut": b.base + "/r/" + token[:20] + "/a.wav", "no token": b.base + "/r/-/a.wav", "padded": strings.Replace(address, token, token+"=", 1),
		"out of the archive": b.Link(call.Recording{File: "../../etc/passwd"}, time.Hour),
		"removed":            b.Link(call.Recording{File: "2026/03/21/gone.wav"}, time.Hour),
	} {
		if status, body, _ := b.get(t, "GET", bad); status != 404 || strings.Contains(body, "passwd") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if b.base = ""; b.Link(call.Recording{File: recordingFile}, time.Hour) != "" {
		t.Error("an address without a base")
	}
}

func TestTheKeyOfLinksIsKept(t *testing.T) {
	dir := t.TempDir()
	one, err := linkKey(publicConfig{}, dir)
	two, err2 := linkKey(publicConfig{}, dir)
	if err != nil || err2 != nil || !bytes.Equal(one, two) || len(one) != 32 {
		t.Errorf("%x %v, %x %v", one, err, two, err2)
	}
	if info, err := os.Stat(filepath.Join(dir, "links.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	shared, err := linkKey(publicConfig{Secret: "the same in two processes"}, t.TempDir())
	again, err2 := linkKey(publicConfig{Secret: "the same in two processes"}, t.TempDir())
	if err != nil || err2 != nil || !bytes.Equal(shared, again) || bytes.Equal(shared, one) {
		t.Error("a secret of the settings gives no common key", err, err2)
	}
	if err := os.WriteFile(filepath.Join(dir, "links.key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := linkKey(publicConfig{}, dir); err == nil {
		t.Error("a broken key was taken")
	}
}

func TestPublicFaults(t *testing.T) {
	crm := "crm:\n  - {name: b24, bitrix24: {url: \"https://a.example\", webhook: 1/x, default_user: 1, recording: link}}\n"
	for text, want := range map[string]string{
		"public: {url: \"ftp://x\"}\n":          "public.url: want https://host",
		"public: {url: \"https://a:b@x\"}\n":    "public.url: want https://host",
		"public: {listen: nowhere}\n":           "public.listen: want host:port",
		"public: {secret: short}\n":             "public.secret: want at least 16 characters",
		"public: {valid: 1s}\n":                 "public.valid: want at least a minute",
		"identify: {timeout: 1m}\n":             "identify.timeout: want more than 0 and at most 10s",
		"identify: {most: -1}\n":                "identify.most: want 1 to",
		crm:                                     "crm[0].bitrix24: addresses of recordings need public.url",
		"public: {secret: \"env:NO_SUCH\"}\n":   "public.secret: environment variable NO_SUCH is not set",
		"crm: [{name: a, language: klingon}]\n": "crm[0].language: want one of en, fa, ru, zh",
	} {
		_, errs, code := markaz("check", "--config", write(t, "asterisk:\n  ari: {password: x}\n"+text))
		if code != exitConfig || !strings.Contains(errs, want) {
			t.Errorf("want %q, have exit %d: %s", want, code, errs)
		}
	}
}
