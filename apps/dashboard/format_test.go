package dashboard

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"markaz/access"
	"markaz/lang"
)

func testPage(t *testing.T, language string) *page {
	t.Helper()
	web, err := New(Deps{Words: lang.New(), Zone: time.UTC, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/calls?x=1", nil)
	r.Header.Set("Accept-Language", language+";q=0.9, en")
	return web.page(r, nil, "web.brand")
}

// Dates, digits and lengths as people of the language write them; what they
// write is read back.
func TestFormats(t *testing.T) {
	fa, en := testPage(t, "fa-IR"), testPage(t, "en")
	nowruz := time.Date(2026, 3, 21, 9, 5, 7, 0, time.UTC)
	for _, c := range [][2]string{
		{fa.Stamp(nowruz), "۱۴۰۵/۰۱/۰۱ ۰۹:۰۵:۰۷"},
		{en.Stamp(nowruz), "2026-03-21 09:05:07"},
		{fa.Dur(3_725_000), "۱:۰۲:۰۵"},
		{en.Dur(65_900), "1:05"},
		{en.Dur(-5), "0:00"},
		{en.Percent(.855), "86%"},
		{fa.Percent(.855), "۸۶\u200f٪"},
		{fa.number("+98912"), "\u2066+۹۸۹۱۲\u2069"},
		{en.number("+98912"), "+98912"},
		{fa.number("") + fa.number("sara"), "sara"},
		{fa.verdict(access.Verdict{Why: "access.yes.team", Args: []any{"right", access.See, "team", "b2", "extension", "101"}}), "شما حق «دیدن تماس\u200cها» را برای تیم b2 دارید و ۱۰۱ عضو آن است."},
		{fa.Dir, "rtl"},
		{en.Sec(1500 * time.Millisecond), "1.5 s"},
		{latin("۰۹۱٢ ٣"), "0912 3"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
	for _, text := range []string{"1405/01/01", "۱۴۰۵/۱/۱", "2026-03-21", " 2026.3.21 "} {
		if d := fa.day(text); d.Format(time.DateOnly) != "2026-03-21" {
			t.Errorf("%q is read as %v", text, d)
		}
	}
	for _, text := range []string{"", "x", "2026-02-31", "1404/12/30", "1405/13/01", "1/2", "2026-03-21-1", "99999999999999-1-1", "0-1-1"} {
		if d := en.day(text); !d.IsZero() {
			t.Errorf("%q is read as %v", text, d)
		}
	}
	if !en.At("/calls") || en.At("/call") || testPage(t, "tlh").Lang != "en" {
		t.Error("paths or languages are mistaken")
	}
}

// What a person chooses is kept, and leads nowhere else.
func TestPreferences(t *testing.T) {
	web := testPage(t, "en").web
	for back, want := range map[string]string{"/calls?number=1": "/calls?number=1", "//evil.example": "/", "https://evil.example": "/", `/\evil`: "/", "": "/"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/prefs", strings.NewReader(url.Values{"lang": {"fa"}, "theme": {"<b>"}, "back": {back}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		web.prefs(w, r)
		cookies := w.Result().Cookies()
		if got := w.Header().Get("Location"); got != want || len(cookies) != 1 || cookies[0].Value != "fa" || !cookies[0].HttpOnly {
			t.Errorf("%q leads to %q with %v", back, got, cookies)
		}
	}
}

func TestPeaks(t *testing.T) {
	peaks, err := readPeaks(sounds(), 8)
	if err != nil || len(peaks) != 2 || len(peaks[0]) != 8 {
		t.Fatalf("%v %v", peaks, err)
	}
	if peaks[0][0] < 20 || peaks[1][0] != 0 || peaks[0][2] != 0 || peaks[1][2] < 20 {
		t.Errorf("the channels take turns of two seconds: %v", peaks)
	}
	whole := make([]byte, 44+4000)
	if _, err := sounds().Read(whole); err != nil {
		t.Fatal(err)
	}
	for n := range 60 { // torn anywhere in its head
		if got, err := readPeaks(bytes.NewReader(whole[:n]), 8); err != nil && !errors.Is(err, errSound) || n < 44 && err == nil {
			t.Errorf("%d bytes: %v %v", n, got, err)
		}
	}
	wild := bytes.Clone(whole)
	copy(wild[40:], "\xff\xff\xff\xff") // a length that is not so
	if got, err := readPeaks(bytes.NewReader(wild), 400); err != nil || len(got) != 2 {
		t.Errorf("%v", err)
	}
}
