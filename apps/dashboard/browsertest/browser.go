// Package browsertest drives a headless Chromium against the pages. Whatever
// the browser complains about while a test runs, an error of a script, a file
// that is not there, a breach of the content policy, fails the test.
//
// It is for tests alone; no program of ours holds it.
package browsertest

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

//go:embed axe-4.14.1.min.js.gz
var axe []byte

// Browser is a running Chromium.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// Start starts Chromium, which ends with the test. Without one the test is
// skipped, or fails if REQUIRE_REAL is set.
func Start(t testing.TB) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		if os.Getenv("REQUIRE_REAL") != "" {
			t.Fatal("no Chromium; scripts/setup.sh installs it")
		}
		t.Skip("no Chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(t.TempDir()))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() { cancel(); stop() })
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &Browser{t, ctx}
}

// Tab is an open page with cookies of its own.
type Tab struct {
	t      testing.TB
	ctx    context.Context
	mu     sync.Mutex
	faults []string
	ignore []string
}

// Tab opens one; size in CSS pixels.
func (b *Browser) Tab(width, height int64) *Tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	b.t.Cleanup(cancel)
	tab := &Tab{t: b.t, ctx: ctx}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			tab.heard(m)
		}
	}()
	tab.Do(chromedp.EmulateViewport(width, height))
	b.t.Cleanup(func() {
		for _, f := range tab.Faults() {
			b.t.Error("browser:", f)
		}
	})
	return tab
}

func (tab *Tab) heard(m chromedp.ConsoleMessage) {
	if m.Type != chromedp.ConsoleError && m.Type != chromedp.ConsoleWarning && !m.IsException() {
		return
	}
	text := m.String() + " " + m.URL
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, part := range tab.ignore {
		if strings.Contains(text, part) {
			return
		}
	}
	tab.faults = append(tab.faults, text)
}

// Expect lets complaints pass that hold a text, from now on: a test that cuts
// the network expects failing requests.
func (tab *Tab) Expect(parts ...string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.ignore = append(tab.ignore, parts...)
}

// Faults returns what the browser has complained of.
func (tab *Tab) Faults() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.faults
}

// patience is how long anything may take on a busy machine.
const patience = 30 * time.Second

// Do runs actions.
func (tab *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Do(tab.ctx); err != nil { // a tab that a bounded context makes would end with it
		tab.t.Fatalf("browser: %v", err)
	}
	if err := chromedp.Do(ctx, actions...); err != nil {
		tab.t.Fatalf("browser: %v; faults %v", err, tab.Faults())
	}
}

// Go opens an address and waits until it is there.
func (tab *Tab) Go(url string) { tab.t.Helper(); tab.Do(chromedp.Navigate(url)) }

// Click clicks on the first element of a CSS selector.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.Wait("there is "+selector, "document.querySelector("+quote(selector)+")?.checkVisibility()")
	tab.Do(chromedp.Click(chromedp.CSS(selector)))
}

// Type types into an element.
func (tab *Tab) Type(selector, text string) {
	tab.t.Helper()
	tab.Do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Keys presses keys wherever the focus is; see the package kb for special ones.
func (tab *Tab) Keys(keys string) { tab.t.Helper(); tab.Do(chromedp.KeyEvent(keys)) }

// Eval evaluates an expression, and waits for its promise.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	v, err := eval[T](tab, expression)
	if err != nil {
		tab.t.Fatalf("evaluate %.200s: %v", expression, err)
	}
	return v
}

func eval[T any](tab *Tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Text is the text of an element; "" if it is not there.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	return Eval[string](tab, "document.querySelector("+quote(selector)+")?.innerText ?? ''")
}

// Wait waits until an expression is true.
func (tab *Tab) Wait(what, expression string) {
	tab.t.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ok, err := eval[bool](tab, "!!("+expression+")") // fails while another page is loaded
		if ok && err == nil {
			return
		}
		last = err
	}
	body, _ := eval[string](tab, "location.href + '\\n' + document.body.innerText.slice(0, 3000)") // for the report only
	tab.t.Fatalf("%s: not in %v (%v)\n%s\nfaults %v", what, patience, last, body, tab.Faults())
}

// WaitText waits until an element holds a text.
func (tab *Tab) WaitText(selector, text string) {
	tab.t.Helper()
	tab.Wait(fmt.Sprintf("%q in %s", text, selector), "document.querySelector("+quote(selector)+")?.innerText.includes("+quote(text)+")")
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always encodes
	return string(b)
}

// Axe fails the test for each fault that axe-core finds in the page by the
// rules of WCAG 2.2 level A and AA and its best practices.
func (tab *Tab) Axe(name string) {
	tab.t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(axe))
	if err != nil {
		tab.t.Fatal(err)
	}
	script, err := io.ReadAll(z)
	if err != nil {
		tab.t.Fatal(err)
	}
	if !Eval[bool](tab, "typeof axe === 'object'") {
		Eval[bool](tab, string(script)+";true")
	}
	found := Eval[[]struct {
		ID     string `json:"id"`
		Impact string `json:"impact"`
		Help   string `json:"help"`
		Nodes  []struct {
			HTML string `json:"html"`
			Why  string `json:"failureSummary"`
		} `json:"nodes"`
	}](tab, `axe.run(document, {resultTypes: ['violations']}).then(r => JSON.parse(JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary}))})))))`)
	for _, v := range found {
		for _, n := range v.Nodes {
			tab.t.Errorf("%s: axe %s (%s): %s\n%.300s\n%s", name, v.ID, v.Impact, v.Help, n.HTML, n.Why)
		}
	}
}

// Shot keeps a picture of the page in the folder that SHOTS names, if it does.
func (tab *Tab) Shot(name string) {
	tab.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		tab.t.Error(err)
	}
}
