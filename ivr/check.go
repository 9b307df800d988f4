package ivr

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"markaz/lang"
)

// Severity says how bad a finding is.
type Severity string

// The severities. A Book is not made of a configuration with an error.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong with a configuration.
type Finding struct {
	Path     string // below the section ivr, such as menus.main.keys.3
	Severity Severity
	Code     string // stable name of the fault
	Message  string // what is wrong, a sentence
	Fix      string // what to do about it, a sentence
}

// Known answers what Check cannot know. A nil function is not asked.
type Known struct {
	Sound     func(path string) bool // whether the PBX has a sound, path without extension
	Queue     func(name string) bool
	Extension func(number string) bool
	Tone      func(spec string) error // what is wrong with a tone
	Entries   []Destination           // where other parts of the configuration lead, queues above all
}

// Check finds what is wrong with a configuration, in order of the path. The
// sentences are in the language of the words, English for zero Words.
func Check(c Config, known Known, words lang.Words) []Finding {
	if words.Catalogue() == nil {
		words = lang.New().In(lang.Default)
	}
	k := &checker{Config: c.withDefaults(), known: known, words: words}
	if len(c.Menus)+len(c.Messages)+len(c.Routes)+len(c.Hours) == 0 {
		return nil
	}
	k.checkLanguages()
	k.checkGlobals(c)
	k.checkRoutes()
	k.checkHours()
	for name, m := range sorted(c.Messages) {
		k.checkMessage(name, m)
	}
	for name, m := range sorted(c.Menus) {
		k.checkMenu(name, m)
	}
	k.checkWays()
	slices.SortStableFunc(k.found, func(a, b Finding) int { return cmp.Compare(a.Path, b.Path) })
	return k.found
}

// checker gathers findings about a configuration with its defaults.
type checker struct {
	Config
	known Known
	words lang.Words
	found []Finding
}

// fail and warn add a finding. The code names the sentences in the catalogue.
func (k *checker) fail(path, code string, args ...any) { k.add(Error, path, code, args) }
func (k *checker) warn(path, code string, args ...any) { k.add(Warning, path, code, args) }

func (k *checker) add(s Severity, path, code string, args []any) {
	k.found = append(k.found, Finding{
		Path: path, Severity: s, Code: code,
		Message: k.words.T("check."+code, args...),
		Fix:     k.words.T("check."+code+".fix", args...),
	})
}

func (k *checker) checkLanguages() {
	for i, l := range k.Languages {
		if _, ok := k.words.Catalogue().Match(l); !ok && (k.WrongKey == nil || k.Silence == nil) {
			k.warn(index("languages", i), "no_phrases", "value", l)
		}
	}
}

func (k *checker) checkLanguage(path, l string) {
	if l != "" && !slices.Contains(k.Languages, l) {
		k.fail(path, "unknown_language", "value", l, "known", strings.Join(k.Languages, ", "))
	}
}

// checkGlobals checks the keys that mean the same everywhere. Given is the
// configuration without its defaults.
func (k *checker) checkGlobals(given Config) {
	for path, key := range map[string]string{"person.key": given.Person.Key, "main.key": given.Main.Key} {
		if key != "" && key != NoKey && (len(key) != 1 || !strings.Contains(keys, key)) {
			k.fail(path, "bad_key", "value", key)
		}
	}
	if k.Person.Key == k.Main.Key && k.Main.Key != NoKey {
		k.fail("main.key", "same_key", "value", k.Main.Key)
	}
	if k.Person.To != "" {
		k.checkDestination("person.to", k.Person.To)
		if k.Person.To.ours() || k.Person.To == Hangup {
			k.fail("person.to", "not_person", "value", k.Person.To)
		}
		k.checkDoor("person", k.Person.Hours, k.Person.Closed)
		k.checkPersonHours()
	}
	switch {
	case k.Main.Menu != "":
		k.checkDestination("main.menu", destination(ToMenu, k.Main.Menu))
	case len(k.Menus) > 0 && given.Main.Key != NoKey:
		k.warn("main.menu", "no_main")
	}
	k.checkPieces("wrong_key", k.WrongKey)
	k.checkPieces("silence", k.Silence)
}

// checkPersonHours warns of a person who is called while the line is closed.
func (k *checker) checkPersonHours() {
	for _, r := range k.Routes {
		if r.Hours != "" && k.Person.Hours == "" && k.Person.Key != NoKey && k.closed(r.Hours, r.Closed).ours() {
			k.warn("person.hours", "person_hours", "key", k.Person.Key, "to", k.Person.To, "hours", r.Hours)
			return
		}
	}
}

// CheckDestination finds what is wrong with a destination that stands in
// another part of the configuration, at that path.
func CheckDestination(c Config, path string, d Destination, known Known, words lang.Words) []Finding {
	k := &checker{Config: c.withDefaults(), known: known, words: words}
	k.checkDestination(path, d)
	return k.found
}

// checkDestination checks that a destination is one, and is there.
func (k *checker) checkDestination(path string, d Destination) {
	target := d.Target()
	switch d.Kind() {
	case "":
		k.fail(path, "no_destination")
	case ToHangup:
		if d != Hangup {
			k.fail(path, "bad_destination", "value", d)
		}
	case ToMenu:
		checkName(k, path, "menus", target, k.Menus)
	case ToMessage:
		checkName(k, path, "messages", target, k.Messages)
	case ToQueue:
		if target == "" {
			k.fail(path, "bad_destination", "value", d)
		} else if ask := k.known.Queue; ask != nil && !ask(target) {
			k.fail(path, "unknown_outside", "kind", "queues", "value", target)
		}
	case ToExtension:
		if !digits(target, 1, maxExtension) {
			k.fail(path, "bad_extension", "value", target)
		} else if ask := k.known.Extension; ask != nil && !ask(target) {
			k.fail(path, "unknown_outside", "kind", "extensions", "value", target)
		}
	case ToExternal:
		if !digits(strings.TrimPrefix(target, "+"), 2, 20) {
			k.fail(path, "bad_external", "value", target)
		}
	case toVoicemail:
		k.fail(path, "voicemail")
	default:
		k.fail(path, "bad_destination", "value", d)
	}
}

// checkName checks that a name is that of a part of the configuration.
func checkName[V any](k *checker, path, kind, name string, there map[string]V) bool {
	if _, ok := there[name]; ok {
		return true
	}
	var known []string
	for other := range sorted(there) {
		known = append(known, other)
	}
	if known == nil {
		known = []string{"–"}
	}
	k.fail(path, "unknown", "kind", kind, "value", name, "known", strings.Join(known, ", "))
	return false
}

// checkDoor checks the hours of a route, a menu or the person, and where
// callers go while they are closed.
func (k *checker) checkDoor(path, hours string, closed Destination) {
	if closed != "" {
		k.checkDestination(join(path, "closed"), closed)
	}
	if hours == "" {
		return
	}
	if checkName(k, join(path, "hours"), "hours", hours, k.Hours) && closed == "" && k.Hours[hours].Closed == "" {
		k.fail(join(path, "hours"), "no_closed", "value", hours)
	}
}

// checkSpan checks that a duration is within bounds; 0 stands for the default.
func (k *checker) checkSpan(path string, d, least, most time.Duration) {
	if d != 0 && (d < least || d > most) {
		k.fail(path, "out_of_range", "value", d, "min", least, "max", most)
	}
}

// digits reports whether s is a number of digits within bounds.
func digits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == ""
}
