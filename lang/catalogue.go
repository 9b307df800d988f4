package lang

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Default is the language of last resort.
const Default = "en"

// Beside the sentences of callers lie folders with those of one room each,
// every folder with one file for each language.
//
//go:embed *.json */*.json
var files embed.FS

// Catalogue holds the sentences of all languages. It never changes, so that
// any number of goroutines may read it.
type Catalogue struct {
	names  []string // sorted
	tables map[string]table
}

// table is one language.
type table struct {
	tag      language.Tag
	messages map[string]message
}

// New reads the embedded catalogue. It panics only if an embedded file is
// malformed, which the tests of this package rule out.
func New() *Catalogue {
	c := &Catalogue{tables: map[string]table{}}
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Errorf("list catalogue: %w", err))
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		name := strings.TrimSuffix(entry.Name(), ".json")
		t, err := read(name)
		if err != nil {
			panic(fmt.Errorf("read catalogue %s: %w", name, err))
		}
		c.names = append(c.names, name)
		c.tables[name] = t
	}
	slices.Sort(c.names)
	return c
}

// read joins the files of one language. A key stands in one of them only.
func read(name string) (table, error) {
	t := table{tag: language.Make(name), messages: map[string]message{}}
	more, err := fs.Glob(files, "*/"+name+".json")
	if err != nil {
		return t, err
	}
	for _, path := range append(more, name+".json") {
		raw, err := files.ReadFile(path)
		if err != nil {
			return t, err
		}
		var part map[string]message
		if err := json.Unmarshal(raw, &part); err != nil {
			return t, fmt.Errorf("%s: %w", path, err)
		}
		for key, m := range part {
			if _, twice := t.messages[key]; twice {
				return t, fmt.Errorf("%s: %q is in another file already", path, key)
			}
			t.messages[key] = m
		}
	}
	return t, nil
}

// Languages lists the languages by their codes, sorted.
func (c *Catalogue) Languages() []string { return slices.Clone(c.names) }

// Match finds the language of the catalogue for a tag such as "fa-IR" or
// "zh_CN.UTF-8". Ok is false, and the answer [Default], when there is none.
func (c *Catalogue) Match(tag string) (name string, ok bool) {
	base := strings.ToLower(tag)
	if i := strings.IndexAny(base, "-_.@"); i >= 0 {
		base = base[:i]
	}
	if _, ok := c.tables[base]; ok {
		return base, true
	}
	return Default, false
}

// Has reports whether there is a sentence of that key.
func (c *Catalogue) Has(key string) bool {
	_, ok := c.tables[Default].messages[key]
	return ok
}

// Keys lists all keys that begin with the prefix, sorted.
func (c *Catalogue) Keys(prefix string) []string {
	var keys []string
	for key := range c.tables[Default].messages {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// T gives a sentence in a language. Args are pairs of placeholder name and
// value: T("fa", "count.calls", "n", 3). A language that is not there gives
// English; a key that is not there gives the key itself, so that the fault
// shows.
func (c *Catalogue) T(lang, key string, args ...any) string {
	name, _ := c.Match(lang)
	t := c.tables[name]
	m, ok := t.messages[key]
	if !ok {
		return key
	}
	return m.form(t.tag, args).fill(args)
}

// In binds the catalogue to one language.
func (c *Catalogue) In(lang string) Words {
	name, _ := c.Match(lang)
	return Words{catalogue: c, lang: name}
}

// Words is the catalogue in one language. Its zero value gives keys instead of
// sentences.
type Words struct {
	catalogue *Catalogue
	lang      string
}

// Lang is the code of the language.
func (w Words) Lang() string { return w.lang }

// Catalogue is the whole catalogue, nil for zero Words.
func (w Words) Catalogue() *Catalogue { return w.catalogue }

// T gives a sentence, as [Catalogue.T] does.
func (w Words) T(key string, args ...any) string {
	if w.catalogue == nil {
		return key
	}
	return w.catalogue.T(w.lang, key, args...)
}
