package dashboard

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"markaz/access"
	"markaz/lang"
)

// page is what every page's template is given.
type page struct {
	Lang, Dir, Theme, Digits string
	Title                    string
	Path                     string // where a change of preferences leads back to
	User                     *access.User
	Languages                []choice
	Data                     any

	w    lang.Words
	web  *Web
	zone string
}

type choice struct {
	Value, Text string
	On          bool
}

// Cookies with a browser's preferences. They hold no secret.
const (
	langCookie   = "markaz_lang"
	themeCookie  = "markaz_theme"
	digitsCookie = "markaz_digits"
)

func (w *Web) page(r *http.Request, u *access.User, title string) *page {
	p := &page{User: u, Path: r.URL.RequestURI(), web: w, w: w.dep.Words.In(w.language(r, u))}
	p.Lang = p.w.Lang()
	p.Dir = p.w.T("lang.dir")
	p.Title = p.w.T(title)
	p.Theme = pick(r, themeCookie, "", "light", "dark")
	p.Digits = pick(r, digitsCookie, "", "latn", "fa")
	if p.Digits == "" && p.Lang == "fa" {
		p.Digits = "fa"
	}
	p.zone = w.dep.Zone.String()
	if p.zone == "Local" {
		p.zone = "" // the browser's, which is that of the site
	}
	for _, l := range w.dep.Words.Languages() {
		p.Languages = append(p.Languages, choice{l, w.dep.Words.T(l, "lang.name"), l == p.Lang})
	}
	return p
}

// language is what the browser was told, the user's, or what the browser asks for.
func (w *Web) language(r *http.Request, u *access.User) string {
	if l := pick(r, langCookie, "", w.dep.Words.Languages()...); l != "" {
		return l
	}
	if u != nil && u.Lang != "" {
		return u.Lang
	}
	for tag := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ = strings.Cut(strings.TrimSpace(tag), ";")
		if name, ok := w.dep.Words.Match(tag); ok {
			return name
		}
	}
	return lang.Default
}

// pick reads a cookie that holds one of some words.
func pick(r *http.Request, name, otherwise string, words ...string) string {
	c, err := r.Cookie(name)
	if err != nil || !slices.Contains(words, c.Value) {
		return otherwise
	}
	return c.Value
}

// prefs remembers what a person wants to see, and leads back.
func (w *Web) prefs(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 4096)
	if err := r.ParseForm(); err != nil {
		http.Error(rw, "bad form", http.StatusBadRequest)
		return
	}
	for name, words := range map[string][]string{
		langCookie: w.dep.Words.Languages(), themeCookie: {"light", "dark", "auto"}, digitsCookie: {"latn", "fa", "auto"},
	} {
		value := r.PostForm.Get(strings.TrimPrefix(name, "markaz_"))
		if slices.Contains(words, value) {
			http.SetCookie(rw, &http.Cookie{
				Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode, HttpOnly: true, Secure: w.dep.Secure,
			})
		}
	}
	to := r.PostForm.Get("back")
	if u, err := url.Parse(to); err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		to = "/"
	}
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

// T gives a sentence of the catalogue.
func (p *page) T(key string, args ...any) string { return p.w.T(key, args...) }

// Asset is the address of a file that the page loads.
func (p *page) Asset(name string) string { return p.web.assets.At(name) }

// Has reports whether the user has a right, on whatever.
func (p *page) Has(right string) bool { return p.User != nil && p.User.Has(access.Right(right)) }

// At reports whether the page is below a path, for the navigation.
func (p *page) At(path string) bool {
	return p.Path == path || strings.HasPrefix(p.Path, path+"/") || strings.HasPrefix(p.Path, path+"?")
}

// Pauses lists the reasons for a pause.
func (p *page) Pauses() []choice {
	var out []choice
	for _, reason := range p.web.dep.Pauses {
		key := "web.pause." + reason
		text := reason
		if p.web.dep.Words.Has(key) {
			text = p.w.T(key)
		}
		out = append(out, choice{Value: reason, Text: text})
	}
	return out
}

// liveKeys are the sentences that scripts need.
func liveKeys() []string {
	return []string{
		"web.state.", "web.mode.", "web.act.", "web.card.", "web.link.", "web.say.", "web.pause.", "web.line.", "web.queue.", "web.me.", "web.stale", "web.hidden",
		"state.", "direction.", "disposition.", "spy.", "dial.", "clicktocall.", "control.",
	}
}

// Context is what scripts are told, as JSON in the page.
func (p *page) Context() map[string]any {
	words := map[string]string{}
	for _, prefix := range liveKeys() {
		for _, key := range p.web.dep.Words.Keys(prefix) {
			words[key] = p.w.T(key)
		}
	}
	c := map[string]any{"words": words, "lang": p.Lang, "zone": p.zone, "source": p.web.dep.Source}
	if u := p.User; u != nil {
		rights := map[access.Right]access.Condition{}
		for _, r := range access.Rights() {
			if u.Has(r) && !r.Plain() {
				rights[r] = u.Covers(r)
			}
		}
		c["stream"], c["user"], c["agent"], c["exts"], c["rights"] = "/v1/events", u.Name, u.Agent, u.Extensions, rights
	}
	return c
}

func loadPages() (map[string]*template.Template, error) {
	base, err := template.ParseFS(files, "templates/base.html", "templates/icons.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	out := map[string]*template.Template{}
	for _, name := range []string{"board", "phone", "calls", "call", "wall", "reports", "audit", "login", "problem"} {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, "templates/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("parse template %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

// show writes a page, whole or not at all.
func (w *Web) show(rw http.ResponseWriter, r *http.Request, name string, p *page) {
	w.showStatus(rw, r, http.StatusOK, name, p)
}

func (w *Web) showStatus(rw http.ResponseWriter, r *http.Request, status int, name string, p *page) {
	var b bytes.Buffer
	if err := w.pages[name].ExecuteTemplate(&b, "page", p); err != nil {
		w.dep.Logger.Error("page not made", "page", name, "err", err)
		http.Error(rw, "This page cannot be made now.", http.StatusInternalServerError)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.Lang)
	h.Add("Vary", "Accept-Encoding, Accept-Language, Cookie")
	h.Set("Cache-Control", cmp.Or(h.Get("Cache-Control"), "no-store"))
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		rw.WriteHeader(status)
		z := gzip.NewWriter(rw)
		_, _ = z.Write(b.Bytes()) // the client went away
		_ = z.Close()
		return
	}
	rw.WriteHeader(status)
	_, _ = rw.Write(b.Bytes()) // the client went away
}

// problem shows that there is nothing to see, and why.
func (w *Web) problem(rw http.ResponseWriter, r *http.Request, u *access.User, status int, text string) {
	p := w.page(r, u, "web.problem.title")
	p.Data = text
	w.showStatus(rw, r, status, "problem", p)
}

// number reads a whole number within bounds; the lower one if it is none.
func number(text string, low, high int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return low
	}
	return n
}

// Keys are those of a telephone.
func (p *page) Keys() []string { return strings.Split("1 2 3 4 5 6 7 8 9 * 0 #", " ") }

// Speeds are those at which recordings can be heard.
func (p *page) Speeds() []string { return []string{"0.75", "1", "1.25", "1.5", "2"} }
