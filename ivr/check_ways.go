package ivr

import (
	"slices"
	"strings"
)

// checkWays checks the menus as a whole: what is reached, what leads out, and
// what goes round for ever.
func (k *checker) checkWays() {
	reached := k.reached()
	for name := range sorted(k.Messages) {
		if !reached[destination(ToMessage, name)] {
			k.warn(join("messages", name), "unreachable")
		}
	}
	for name := range sorted(k.Menus) {
		path, menu := join("menus", name), destination(ToMenu, name)
		if !reached[menu] {
			k.warn(path, "unreachable")
		}
		if loop := k.loop(menu, k.silent); loop != "" {
			k.fail(join(path, "after"), "silent_loop", "path", loop)
		}
		if loop := k.loop(menu, k.whileClosed); loop != "" {
			k.fail(join(path, "closed"), "closed_loop", "path", loop)
		}
		switch {
		case !k.leads(menu, func(d Destination) bool { return !d.ours() }):
			k.fail(path, "trapped")
		case !k.leads(menu, Destination.person):
			k.warn(path, "no_person")
		}
	}
}

// reached finds every place that some call can get to.
func (k *checker) reached() map[Destination]bool {
	reached := map[Destination]bool{}
	var visit func(Destination)
	visit = func(d Destination) {
		if !d.ours() || reached[d] {
			return
		}
		reached[d] = true
		for _, next := range k.all(d) {
			visit(next)
		}
	}
	for _, d := range k.known.Entries {
		visit(d)
	}
	for _, r := range k.Routes {
		visit(r.To)
		if r.Hours != "" {
			visit(k.closed(r.Hours, r.Closed))
		}
	}
	return reached
}

// closed is where callers go while the hours are closed.
func (k *checker) closed(hours string, own Destination) Destination {
	if own != "" {
		return own
	}
	return k.Hours[hours].Closed
}

// chosen lists where the keys of a menu and the end of a message lead.
func (k *checker) chosen(d Destination) []Destination {
	if d.Kind() == ToMessage {
		return k.silent(d)
	}
	m := k.Menus[d.Target()]
	var next []Destination
	for _, option := range sorted(m.Keys) {
		next = append(next, option.To)
	}
	if m.Extension != nil {
		next = append(next, destination(ToExtension, m.Extension.written()))
	}
	if k.Person.Key != NoKey {
		next = append(next, k.Person.To)
	}
	return next
}

// silent lists where a caller gets who presses nothing.
func (k *checker) silent(d Destination) []Destination {
	if d.Kind() == ToMessage {
		m := k.Messages[d.Target()]
		if m.Then == Back && k.Main.Menu != "" {
			return []Destination{destination(ToMenu, k.Main.Menu)}
		}
		return []Destination{m.Then}
	}
	m, ok := k.Menus[d.Target()]
	if !ok {
		return nil
	}
	after := m.withDefaults(k.Config).After
	if after == k.Person.To {
		return k.toPerson()
	}
	return []Destination{after}
}

// whileClosed lists where a call gets on from a menu at a time at which its
// hours are closed, as long as the same hours decide.
func (k *checker) whileClosed(d Destination) []Destination {
	m := k.Menus[d.Target()]
	if d.Kind() != ToMenu || m.Hours == "" {
		return nil
	}
	next := k.closed(m.Hours, m.Closed)
	if next.Kind() != ToMenu || k.Menus[next.Target()].Hours != m.Hours {
		return nil
	}
	return []Destination{next}
}

// toPerson lists where the person key leads.
func (k *checker) toPerson() []Destination {
	next := []Destination{k.Person.To}
	if k.Person.Hours != "" {
		next = append(next, k.closed(k.Person.Hours, k.Person.Closed))
	}
	return next
}

// all lists every place to which a place can lead.
func (k *checker) all(d Destination) []Destination {
	next := append(k.chosen(d), k.silent(d)...)
	if m := k.Menus[d.Target()]; d.Kind() == ToMenu && m.Hours != "" {
		next = append(next, k.closed(m.Hours, m.Closed))
	}
	if k.Main.Key != NoKey {
		next = append(next, destination(ToMenu, k.Main.Menu))
	}
	if k.Person.Key != NoKey {
		next = append(next, k.toPerson()...)
	}
	return next
}

// leads reports whether choices in a place can lead to one that is wanted.
func (k *checker) leads(from Destination, wanted func(Destination) bool) bool {
	seen := map[Destination]bool{}
	var visit func(Destination) bool
	visit = func(d Destination) bool {
		if wanted(d) {
			return true
		}
		if !d.ours() || seen[d] {
			return false
		}
		seen[d] = true
		return slices.ContainsFunc(append(k.chosen(d), k.silent(d)...), visit)
	}
	return visit(from)
}

// loop follows a way from a place and tells the circle that leads back to it,
// or "".
func (k *checker) loop(from Destination, way func(Destination) []Destination) string {
	var visit func(d Destination, trail []string) string
	visit = func(d Destination, trail []string) string {
		trail = append(trail, string(d))
		if len(trail) > 1 && d == from {
			return strings.Join(trail, " → ")
		}
		if !d.ours() || slices.Contains(trail[:len(trail)-1], string(d)) {
			return ""
		}
		nexts := way(d)
		if back, ok := k.back(d, trail); ok {
			nexts = []Destination{back}
		}
		for _, next := range nexts {
			if found := visit(next, slices.Clone(trail)); found != "" {
				return found
			}
		}
		return ""
	}
	return visit(from, nil)
}

// back is the menu to which a message leads back on a trail.
func (k *checker) back(d Destination, trail []string) (Destination, bool) {
	if d.Kind() != ToMessage || k.Messages[d.Target()].Then != Back {
		return "", false
	}
	for _, place := range slices.Backward(trail) {
		if Destination(place).Kind() == ToMenu {
			return Destination(place), true
		}
	}
	return "", false
}
