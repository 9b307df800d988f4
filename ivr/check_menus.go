package ivr

import (
	"strings"
	"time"
)

// Bounds of a menu.
const (
	leastWait    = 500 * time.Millisecond
	mostWait     = time.Minute
	mostAttempts = 10
)

func (k *checker) checkMessage(name string, m Message) {
	path := join("messages", name)
	k.checkPrompt(join(path, "prompt"), m.Prompt)
	if m.Then != "" && m.Then != Back {
		k.checkDestination(join(path, "then"), m.Then)
	}
}

func (k *checker) checkMenu(name string, m Menu) {
	path := join("menus", name)
	k.checkPrompt(join(path, "prompt"), m.Prompt)
	k.checkPieces(join(path, "wrong_key"), m.WrongKey)
	k.checkPieces(join(path, "silence"), m.Silence)
	k.checkLanguage(join(path, "language"), m.Language)
	k.checkDoor(path, m.Hours, m.Closed)
	k.checkSpan(join(path, "timeout"), m.Timeout, leastWait, mostWait)
	k.checkSpan(join(path, "inter_digit"), m.InterDigit, leastWait, mostWait)
	if m.Attempts < 0 || m.Attempts > mostAttempts {
		k.fail(join(path, "attempts"), "out_of_range", "value", m.Attempts, "min", 1, "max", mostAttempts)
	}
	switch {
	case m.After != "":
		k.checkDestination(join(path, "after"), m.After)
	case k.Person.To == "":
		k.fail(join(path, "after"), "no_after")
	}
	if len(m.Keys) == 0 && m.Extension == nil {
		k.fail(join(path, "keys"), "no_choice")
	}
	if n := len(m.Keys); n > MostOptions {
		k.warn(join(path, "keys"), "many_options", "n", n, "most", MostOptions)
	}
	for key, option := range sorted(m.Keys) {
		k.checkOption(path, m, key, option)
	}
	if m.Extension != nil {
		k.checkExtension(join(path, "dial_extension"), *m.Extension)
	}
}

func (k *checker) checkOption(menu string, m Menu, key string, option Option) {
	path := join(menu, "keys", key)
	if key == "" {
		path = join(menu, "keys")
	}
	k.checkDestination(path, option.To)
	k.checkLanguage(path, option.Language)
	switch {
	case len(key) < 1 || len(key) > maxInput || strings.Trim(key, keys) != "":
		k.fail(path, "bad_key", "value", key)
		return
	case k.global(key[:1]):
		k.fail(path, "global_key", "value", key[:1])
	}
	if option.To == Hangup || option.To.Kind() == ToMessage && k.ends(option.To) {
		k.warn(path, "cut_off")
	}
	for other := range sorted(m.Keys) {
		if len(other) > len(key) && strings.HasPrefix(other, key) {
			k.warn(path, "slow_key", "value", key, "other", other)
			return
		}
	}
	if m.Extension == nil {
		return
	}
	shape, err := m.Extension.shape()
	switch {
	case err != nil:
	case shape.match(key):
		k.warn(path, "key_hides", "value", key)
	case shape.extends(key):
		k.warn(path, "slow_key", "value", key, "other", key+strings.Repeat("X", len(shape.sets)-len(key)))
	}
}

// ends reports whether a message ends the call.
func (k *checker) ends(d Destination) bool {
	m, ok := k.Messages[d.Target()]
	return ok && (m.Then == "" || m.Then == Hangup)
}

// global reports whether a key means the same everywhere.
func (k *checker) global(key string) bool { return key == k.Person.Key || key == k.Main.Key }

func (k *checker) checkExtension(path string, x Extension) {
	shape, err := x.shape()
	if err != nil {
		k.fail(path, "extension_rule")
		return
	}
	// A pattern that leaves the first digit open is no mistake.
	for _, first := range keys {
		if key := string(first); k.global(key) && shape.sets[0] == span(key[0], key[0]) {
			k.fail(path, "extension_global", "value", key)
		}
	}
	for i, a := range x.Allowed {
		p, err := parsePattern(a)
		if err != nil || p.open || !p.meets(shape) {
			k.fail(index(join(path, "allowed"), i), "extension_misfit", "value", a)
		}
	}
}

// written is the rule as a pattern.
func (x Extension) written() string {
	if x.Pattern != "" {
		return x.Pattern
	}
	return strings.Repeat("X", x.Length)
}
