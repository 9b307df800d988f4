package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/call"
)

// links makes and serves web addresses of recordings for those who cannot log
// in, such as a CRM. An address bears the file's name and when it expires,
// with an HMAC-SHA256 over both: nobody can make one, or make one last.
//
//	<public.url>/r/<base64url of expiry, name and signature>/<last part of the name>
type links struct {
	base string // "": none can be made
	key  []byte
	most time.Duration
	now  func() time.Time
	open func(file string) (*os.File, error)
	log  *slog.Logger
	used *prometheus.CounterVec
	busy chan struct{} // holds a token for each download
}

// signature is how many bytes of the HMAC an address bears: RFC 2104 allows
// half of them, and 128 bits cannot be guessed.
const signature = 16

const expiry = 12 // digits

// downloads is how many may run at the same time, and download for how long
// one may take.
const (
	downloads = 64
	download  = 15 * time.Minute
)

func newLinks(cfg publicConfig, key []byte, open func(string) (*os.File, error), log *slog.Logger) *links {
	return &links{
		base: strings.TrimRight(cfg.URL, "/"), key: key, most: cfg.Valid, now: time.Now, open: open, log: log,
		busy: make(chan struct{}, downloads),
		used: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "markaz_recording_links_total", Help: "Uses of addresses of recordings: served, expired, refused, missing, busy.",
		}, []string{"result"}),
	}
}

// Link implements crm.Files.
func (l *links) Link(r call.Recording, valid time.Duration) string {
	if l.base == "" || r.File == "" {
		return ""
	}
	until := l.now().Add(min(valid, l.most))
	return l.base + "/r/" + l.token(r.File, until) + "/" + url.PathEscape(path.Base(r.File))
}

// token is the signed part: Unix seconds in hexadecimal, the file's name, the
// signature.
func (l *links) token(file string, until time.Time) string {
	b := fmt.Appendf(nil, "%012x", until.Unix())
	b = append(b, file...)
	return base64.RawURLEncoding.EncodeToString(append(b, l.sign(b)...))
}

func (l *links) sign(b []byte) []byte {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte("markaz recording link 1\x00")) // the key may sign other things too
	mac.Write(b)
	return mac.Sum(nil)[:signature]
}

var errNoLink = errors.New("no address that was given out")

// read checks a token.
func (l *links) read(token string) (file string, until time.Time, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= expiry+signature {
		return "", until, errNoLink
	}
	b, have := b[:len(b)-signature], b[len(b)-signature:]
	if !hmac.Equal(l.sign(b), have) {
		return "", until, errNoLink
	}
	unix, err := strconv.ParseInt(string(b[:expiry]), 16, 64)
	if err != nil {
		return "", until, errNoLink
	}
	return string(b[expiry:]), time.Unix(unix, 0), nil
}

// ServeHTTP serves GET and HEAD of one recording, parts of it too.
func (l *links) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, until, err := l.read(r.PathValue("token"))
	switch {
	case err != nil || r.PathValue("name") != path.Base(file):
		l.refuse(w, r, "refused", http.StatusNotFound, "E4041", "There is nothing at this address.")
		return
	case l.now().After(until):
		l.refuse(w, r, "expired", http.StatusGone, "E4100", "This address has expired.")
		return
	}
	select {
	case l.busy <- struct{}{}:
		defer func() { <-l.busy }()
	default:
		w.Header().Set("Retry-After", "10")
		l.refuse(w, r, "busy", http.StatusServiceUnavailable, "E5033", "Too many recordings are being fetched.")
		return
	}
	f, err := l.open(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.log.Error("recording not opened", "file", file, "err", err)
		}
		l.refuse(w, r, "missing", http.StatusNotFound, "E4042", "The recording is not kept any more.")
		return
	}
	defer f.Close()
	l.serve(w, r, f, file)
}

func (l *links) serve(w http.ResponseWriter, r *http.Request, f *os.File, file string) {
	info, err := f.Stat()
	if err != nil {
		l.refuse(w, r, "missing", http.StatusNotFound, "E4042", "The recording is not kept any more.")
		return
	}
	// The server's own limit is for short answers. A server that knows no
	// deadlines keeps its own.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(download))
	for k, v := range map[string]string{
		"Cache-Control": "private, max-age=300", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; sandbox",
	} {
		w.Header().Set(k, v)
	}
	if strings.HasSuffix(file, ".wav") {
		w.Header().Set("Content-Type", "audio/wav")
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
	l.used.WithLabelValues("served").Inc()
	l.log.Info("recording fetched by its address", "file", file, "from", r.RemoteAddr, "range", call.Clean(r.Header.Get("Range"), 80),
		"forwarded", call.Clean(r.Header.Get("X-Forwarded-For"), 120), "method", r.Method)
}

func (l *links) refuse(w http.ResponseWriter, r *http.Request, result string, status int, code, text string) {
	l.used.WithLabelValues(result).Inc()
	l.log.Warn("recording not given", "why", result, "from", r.RemoteAddr, "forwarded", call.Clean(r.Header.Get("X-Forwarded-For"), 120))
	problem(w, status, code, text)
}

// linkKey is the key that the settings give, or one that is made once and kept
// in the data folder.
func linkKey(cfg publicConfig, dir string) ([]byte, error) {
	if cfg.Secret != "" {
		sum := sha256.Sum256([]byte(cfg.Secret))
		return sum[:], nil
	}
	file := filepath.Join(dir, "links.key")
	key, err := os.ReadFile(file)
	switch {
	case err == nil && len(key) == sha256.Size:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("read key of links: %s has %d bytes, want %d; remove it and a new one is made", file, len(key), sha256.Size)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read key of links: %w", err)
	}
	key = make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	if err := os.WriteFile(file, key, 0o600); err != nil {
		return nil, fmt.Errorf("keep key of links: %w", err)
	}
	return key, nil
}
