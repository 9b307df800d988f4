package ivr

func (k *checker) checkRoutes() {
	if len(k.Routes) == 0 {
		name := "main"
		for other := range sorted(k.Menus) {
			name = other
			break
		}
		k.fail("routes", "no_route", "menu", name)
	}
	patterns := make([]*pattern, len(k.Routes))
	for i, r := range k.Routes {
		path := index("routes", i)
		k.checkDestination(join(path, "to"), r.To)
		k.checkDoor(path, r.Hours, r.Closed)
		k.checkLanguage(join(path, "language"), r.Language)
		if r.Number != "" {
			p, err := parsePattern(r.Number)
			if err != nil {
				k.fail(join(path, "number"), "bad_number", "value", r.Number)
				continue
			}
			patterns[i] = &p
		}
		for j := range i {
			above := patterns[j]
			every := k.Routes[j].Number == ""
			if every || above != nil && patterns[i] != nil && patterns[i].within(*above) {
				k.warn(join(path, "number"), "shadowed", "other", j)
				break
			}
		}
	}
}

func (k *checker) checkHours() {
	for name, h := range sorted(k.Hours) {
		path := join("hours", name)
		if h.Closed != "" {
			k.checkDestination(join(path, "closed"), h.Closed)
		}
		_, problems := h.compile()
		for _, p := range problems {
			at := path
			if p.path != "" {
				at += "." + p.path
			}
			switch p.code {
			case "overlap", "same_day", "never_open":
				k.warn(at, p.code, p.args...)
			default:
				k.fail(at, p.code, p.args...)
			}
		}
	}
}
