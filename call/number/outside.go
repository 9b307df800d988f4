package number

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Outside reads a number that a person wrote, without release code, and says
// what must be dialled for it: a number in international form becomes what is
// dialled here, with the trunk prefix or the prefix for foreign countries. ok is
// false for what is not made of digits and perhaps a + before them.
func (r *Reader) Outside(written string) (n Number, dial string, ok bool) {
	n = Number{Raw: written}
	n.Shown, n.Hidden = clean(written)
	if strings.Trim(strings.TrimPrefix(written, "+"), "0123456789") != "" || n.Hidden || len(strings.TrimPrefix(n.Shown, "+")) < 2 {
		return n, "", false
	}
	r.normalise(&n)
	if strings.HasPrefix(n.Shown, "+") {
		local, can := r.Local(n.Shown)
		if !can {
			return n, "", false
		}
		n.Shown = local
	}
	return n, r.plan.Release + n.Shown, true
}

// Local writes an international number as it is dialled from here, without
// release code; without a country it cannot.
func (r *Reader) Local(e164 string) (string, bool) {
	if r.region == "" {
		return "", false
	}
	num, err := phonenumbers.Parse(e164, r.region)
	if err != nil {
		return "", false
	}
	digits := strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, phonenumbers.FormatOutOfCountryCallingNumber(num, r.region))
	return digits, digits != ""
}
