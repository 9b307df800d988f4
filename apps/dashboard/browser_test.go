package dashboard

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"markaz/apps/dashboard/browsertest"
	"markaz/call"
)

// come opens a page as somebody who is let in.
func (s *stage) come(tab *browsertest.Tab, who, path string, prefs ...string) {
	s.Helper()
	tab.Go(s.url("/assets/none/icon.svg"))
	cookies := "document.cookie='who=" + who + ";path=/';"
	for _, p := range prefs {
		cookies += "document.cookie='markaz_" + p + ";path=/';"
	}
	browsertest.Eval[string](tab, cookies+"''")
	tab.Go(s.url(path))
}

// Every page, in every language, light and dark, wide and narrow, is free of
// faults that axe-core knows, and the browser has nothing to complain of.
func TestPagesAreSound(t *testing.T) {
	s := newStage(t)
	s.afternoon()
	b := browsertest.Start(t)
	for _, c := range []struct {
		name, who, path string
		width, height   int64
		prefs           []string
		ready           string
	}{
		{"login", "", "/login?error=wrong", 1280, 800, nil, "main form"},
		{"board", "boss", "/board", 1440, 1000, []string{"theme=light"}, "#ended tr"},
		{"board-dark-fa", "boss", "/board", 1440, 1000, []string{"theme=dark", "lang=fa"}, "#ended tr"},
		{"board-phone", "boss", "/board", 390, 844, []string{"theme=light"}, "#ended tr"},
		{"board-ru", "boss", "/board", 1100, 900, []string{"lang=ru"}, "#ended tr"},
		{"phone", "sara", "/phone", 1280, 860, []string{"theme=light"}, "#current .current"},
		{"phone-fa-phone", "sara", "/phone", 390, 844, []string{"theme=dark", "lang=fa"}, "#current .current"},
		{"calls", "boss", "/calls", 1280, 860, []string{"theme=light"}, "tbody tr"},
		{"call", "boss", "/calls/old00", 1280, 1000, []string{"theme=light"}, ".player canvas"},
		{"call-fa", "boss", "/calls/old00", 1280, 1000, []string{"theme=dark", "lang=fa"}, ".player canvas"},
		{"calls-phone-fa", "boss", "/calls", 390, 844, []string{"lang=fa"}, "tbody tr"},
		{"call-phone", "boss", "/calls/old00", 390, 844, []string{"theme=light"}, ".player canvas"},
		{"reports-fa", "boss", "/reports", 1280, 860, []string{"lang=fa"}, "tbody tr"},
		{"audit-zh", "boss", "/audit", 1280, 860, []string{"lang=zh"}, "tbody tr"},
		{"wall", "wall", "/wallboard", 1920, 1080, nil, "#wall-tiles li"},
		{"missing", "boss", "/calls/none", 1280, 860, nil, "main h1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := b.Tab(c.width, c.height)
			if c.name == "missing" {
				tab.Expect("404")
			}
			s.come(tab, c.who, c.path, c.prefs...)
			tab.Wait(c.ready, "document.querySelector('"+c.ready+"')?.checkVisibility()")
			time.Sleep(150 * time.Millisecond) // for the picture alone
			tab.Shot(c.name)
			tab.Axe(c.name)
			if wide := browsertest.Eval[int64](tab, "document.documentElement.scrollWidth"); wide > c.width {
				t.Errorf("the page is %d wide on a screen of %d", wide, c.width)
			}
			text := tab.Text("body")
			if i := strings.Index(text, "web."); i >= 0 {
				t.Errorf("a text is missing: %.60s", text[i:])
			}
		})
	}
}

func TestLive(t *testing.T) {
	s := newStage(t)
	s.log.tell(time.Hour, call.Event{Kind: call.AgentChanged, Agent: "sara", Address: "101", State: "available"})
	b := browsertest.Start(t)
	tab := b.Tab(1280, 900)
	s.come(tab, "boss", "/board", "lang=en")
	tab.WaitText(".link", "live")
	tab.WaitText("#tiles", "Sara Ahmadi")

	hostile := `<img src=x onerror="document.title='hacked'">"><script>alert(1)</script>`
	s.ring("a", "09121111111", hostile, "sales", 5*time.Second)
	tab.WaitText("#calls", hostile)
	tab.WaitText("#queues", "1 waiting")
	s.offer("a", "sales", "sara", "101", time.Second)
	tab.WaitText("[data-key='x:101']", "ringing")
	s.answer("a", "sales", "sara", "101", 0)
	tab.WaitText("[data-key='c:a']", "talking")
	tab.WaitText("[data-key='x:101']", hostile)

	// Listening is asked of the API for the very leg.
	tab.Click("[data-key='c:a'] [data-monitor=spy]")
	if got := <-s.asked; got != `POST /v1/monitors {"call":"a","leg":"aa101","mode":"spy"}` {
		t.Errorf("asked %s", got)
	}
	tab.WaitText("#toasts", "Your phone 100")
	s.log.tell(0, call.Event{Kind: call.MonitorStarted, Call: "a", Ref: "m", Leg: "aa101", Agent: "boss", Mode: "spy"})
	tab.Wait("the button is pressed", "document.querySelector(\"[data-key='c:a'] [data-monitor=spy]\").ariaPressed === 'true'")
	s.log.tell(0, call.Event{Kind: call.RequestRefused, Ref: "r", Agent: "boss", Reason: "web.act.failed"})
	tab.WaitText("#toasts", "That did not work.")

	// The network goes, the page says so, and then has all that it missed.
	tab.Expect("ERR_", "Failed to load", "net::")
	s.wire.Cut()
	tab.WaitText("#stale", "s old")
	s.end("a", "101", 0)
	s.ring("b", "09122222222", "Behrouz", "sales", 0)
	s.wire.Mend()
	mended := time.Now()
	tab.WaitText("#calls", "Behrouz")
	if took := time.Since(mended); took > 1500*time.Millisecond {
		t.Errorf("the page was right %v after the network was", took)
	}
	tab.Wait("the ended call is gone", "!document.querySelector(\"[data-key='c:a']\")")
	tab.WaitText("#ended", hostile)
	tab.Wait("no word of old data", "document.getElementById('stale').hidden")
	if title := browsertest.Eval[string](tab, "document.title"); !strings.HasPrefix(title, "Live") {
		t.Errorf("title %q", title)
	}
	tab.Go(s.url("/board"))
	tab.WaitText("#calls", "Behrouz")
}

// Everything can be done without a mouse.
func TestKeyboard(t *testing.T) {
	s := newStage(t)
	s.afternoon()
	tab := browsertest.Start(t).Tab(1280, 900)
	s.come(tab, "boss", "/board", "lang=en")
	tab.WaitText("#calls", "Kaveh")
	tab.Keys("\t")
	tab.Wait("the skip link", "document.activeElement.className === 'skip' && document.activeElement.getBoundingClientRect().top >= 0")
	tab.Keys("\r")
	found := ""
	for range 40 {
		tab.Keys("\t")
		found = browsertest.Eval[string](tab, "document.activeElement.dataset.monitor ?? ''")
		if found == "spy" {
			break
		}
	}
	outline := browsertest.Eval[string](tab, "getComputedStyle(document.activeElement).outlineStyle")
	if found != "spy" || outline != "solid" {
		t.Fatalf("the focus is on %q, outline %s", found, outline)
	}
	tab.Keys("\r")
	if got := <-s.asked; !strings.HasPrefix(got, "POST /v1/monitors ") {
		t.Errorf("asked %s", got)
	}
	// The card of an extension: opened, closed by Escape, focus back.
	browsertest.Eval[bool](tab, "document.querySelector(\"[data-key='x:101'] button\").focus(), true")
	tab.Keys("\r")
	tab.Wait("the card", "document.getElementById('card').open")
	tab.Axe("card")
	tab.Shot("card")
	tab.Keys("\x1b")
	tab.Wait("focus is back", "!document.getElementById('card').open && document.activeElement.closest(\"[data-key='x:101']\")")
}

// The phone panel dials, and its history is there after a reload.
func TestPhonePanel(t *testing.T) {
	s := newStage(t)
	s.afternoon()
	tab := browsertest.Start(t).Tab(1280, 900)
	s.come(tab, "sara", "/phone", "lang=fa")
	tab.WaitText("#history + tbody", "۰۹۱۲۱۱۱۰۰۰۱")
	tab.Type("#number", "۰۹۱۲-۱۱۱ ۲۲۳۳\r")
	if got := <-s.asked; got != `POST /v1/dials {"to":"09121112233"}` {
		t.Errorf("asked %s", got)
	}
	tab.Click("[data-key-of='5']")
	tab.Click("[data-want=paused]")
	if got := <-s.asked; got != `PUT /v1/agents/sara/state {"state":"paused","reason":"break"}` {
		t.Errorf("asked %s", got)
	}
	s.end("talk0", "101", 0)
	tab.WaitText("#history", "Ali Rezaei")
	tab.Go(s.url("/phone"))
	tab.WaitText("#history + tbody", "Ali Rezaei")
	if dir := browsertest.Eval[string](tab, "getComputedStyle(document.documentElement).direction"); dir != "rtl" {
		t.Errorf("direction %s", dir)
	}
	if strings.Contains(tab.Text("body"), "09353334455") {
		t.Error("an agent sees the call of another")
	}
	tab.Wait("the font is there", "document.fonts.check('16px Vazirmatn', 'سلام')")
}

// A recording is drawn and played, by keyboard too.
func TestPlayer(t *testing.T) {
	s := newStage(t)
	s.afternoon()
	tab := browsertest.Start(t).Tab(1280, 900)
	s.come(tab, "boss", "/calls/old00", "lang=en")
	tab.Wait("the waveform of two channels", "document.querySelector('.player').dataset.drawn === '2'")
	tab.Click("[data-play]")
	tab.Wait("it plays", "document.querySelector('audio').currentTime > 0.1")
	browsertest.Eval[bool](tab, "document.querySelector('.player canvas').focus(), true")
	tab.Keys("k")
	tab.Wait("it is paused", "document.querySelector('audio').paused")
	tab.Keys("l")
	tab.Wait("it is at its end", "document.querySelector('audio').currentTime > 7")
}

// What a page weighs when it is opened for the first time, compressed.
func TestFirstPageIsLight(t *testing.T) {
	const most = 150_000
	s := newStage(t)
	s.afternoon()
	for _, path := range []string{"/board", "/phone", "/calls", "/wallboard"} {
		get := func(path string) (int, string) {
			req, err := http.NewRequest(http.MethodGet, s.srv.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept-Encoding", "gzip")
			req.AddCookie(&http.Cookie{Name: "who", Value: "boss"})
			req.AddCookie(&http.Cookie{Name: "markaz_lang", Value: "fa"})
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			n, err := countBytes(res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s %v", path, res.Status, err)
			}
			return n, res.Header.Get("Cache-Control")
		}
		sum, _ := get(path)
		a, err := loadAssets()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"app.css", "live.js", "board.js", "act.js", "call.js", "vazirmatn.woff2", "icon.svg"} {
			n, cache := get(a.At(name))
			sum += n
			if !strings.Contains(cache, "immutable") {
				t.Errorf("%s: %s", name, cache)
			}
		}
		t.Logf("%s with everything it loads, in Persian: %d bytes", path, sum)
		if sum > most {
			t.Errorf("%s weighs %d bytes, at most %d", path, sum, most)
		}
	}
}

func countBytes(r interface{ Read([]byte) (int, error) }) (int, error) {
	buf, sum := make([]byte, 32<<10), 0
	for {
		n, err := r.Read(buf)
		sum += n
		if err != nil {
			if err.Error() == "EOF" {
				err = nil
			}
			return sum, err
		}
	}
}

func TestMain(m *testing.M) { os.Exit(m.Run()) }
