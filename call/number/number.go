// Package number reads telephone numbers as exchanges print and dial them:
// release codes, host exchange codes, hidden digits, local and national forms.
// It keeps three forms side by side: as given, as a person would say it, and
// E.164.
//
// It never completes a number whose digits are hidden, never takes a release
// code off a caller's number unless told to, and never looks anything up. The
// numbering plans are those of github.com/nyaruka/phonenumbers.
package number

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Plan says how numbers are written at one place.
type Plan struct {
	// Country is the country's ISO 3166 code (IR) or its calling code (98).
	Country string `yaml:"country"`
	// City is the area code without trunk prefix (21 for Tehran, 495 for
	// Moscow); it is put before a number of local length.
	City string `yaml:"city"`
	// LocalLength is how many digits a number within the city has; 0 derives
	// it from Country and City.
	LocalLength int `yaml:"local_length"`
	// Release is what extensions dial to get a line, such as 9 or 0. It is
	// taken off dialled numbers and put back on by [Reader.Dial].
	Release string `yaml:"release"`
	// ReleaseOnCallers says that the exchange prints Release before callers'
	// numbers too, so that they can be dialled back.
	ReleaseOnCallers bool `yaml:"release_on_callers"`
}

// Validate reports every fault, each named by its key.
func (p Plan) Validate() error {
	var faults []error
	if p.Country != "" {
		if _, err := region(p.Country); err != nil {
			faults = append(faults, err)
		}
	}
	digits := regexp.MustCompile(`^[0-9]*$`)
	if !digits.MatchString(p.City) || strings.HasPrefix(p.City, "0") {
		faults = append(faults, fmt.Errorf("city: want digits without a leading 0, have %q", p.City))
	}
	if !regexp.MustCompile(`^[0-9*#]{0,6}$`).MatchString(p.Release) {
		faults = append(faults, fmt.Errorf("release: want at most six of 0-9 * #, have %q", p.Release))
	}
	if p.LocalLength < 0 || p.LocalLength > 12 {
		faults = append(faults, fmt.Errorf("local_length: %d is not between 0 and 12", p.LocalLength))
	}
	return errors.Join(faults...)
}

// region finds the ISO code of a country given by either code.
func region(country string) (string, error) {
	if code, err := strconv.Atoi(country); err == nil {
		if r := phonenumbers.GetRegionCodeForCountryCode(code); r != "ZZ" {
			return r, nil
		}
		return "", fmt.Errorf("country: %q is no calling code", country)
	}
	r := strings.ToUpper(country)
	if phonenumbers.GetCountryCodeForRegion(r) == 0 {
		return "", fmt.Errorf("country: %q is neither an ISO code nor a calling code", country)
	}
	return r, nil
}

// Number is one number in its three forms.
type Number struct {
	Raw    string // as given
	Shown  string // as a person would say it: no pauses, no release code; up to the first hidden digit
	E164   string // with +; "" for short codes, extensions, hidden and unreadable numbers
	Hidden bool   // digits were hidden: Shown is only the beginning

	Released  bool // the release code was taken off
	Ambiguous bool // with and without the release code it is a valid number
	Unproven  bool // possible by its length, but in no range that the plan knows
}

// Reader reads numbers by one plan. It may be used by several goroutines.
type Reader struct {
	plan     Plan
	region   string
	calling  string // country's calling code
	trunk    string // national trunk prefix: 0 in Iran, 8 in Russia
	national int    // digits of a national number without trunk prefix
	local    int
}

// New makes a reader. A plan without country reads no E.164.
func New(p Plan) (*Reader, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	r := &Reader{plan: p, local: p.LocalLength}
	if p.Country == "" {
		return r, nil
	}
	r.region, _ = region(p.Country) // Validate has asked
	r.calling = strconv.Itoa(phonenumbers.GetCountryCodeForRegion(r.region))
	r.trunk = phonenumbers.GetNddPrefixForRegion(r.region, true)
	if example := phonenumbers.GetExampleNumber(r.region); example != nil {
		r.national = len(phonenumbers.GetNationalSignificantNumber(example))
	}
	if r.local == 0 && p.City != "" {
		r.local = r.national - len(p.City)
	}
	return r, nil
}

// Caller reads the number of somebody who called.
func (r *Reader) Caller(raw string) Number {
	n := Number{Raw: raw}
	n.Shown, n.Hidden = clean(raw)
	if r.plan.ReleaseOnCallers {
		r.release(&n)
	}
	r.normalise(&n)
	return n
}

// Dialled reads a number that an extension dialled.
func (r *Reader) Dialled(raw string) Number {
	n := Number{Raw: raw}
	n.Shown, n.Hidden = clean(raw)
	r.release(&n)
	r.normalise(&n)
	return n
}

// Dial is what must be dialled to reach a number from an extension.
func (r *Reader) Dial(shown string) string { return r.plan.Release + shown }

// clean drops what is not part of the number and stops at the first hidden
// digit. Asterisks that begin a number were dialled; later ones are a mask.
func clean(raw string) (digits string, hidden bool) {
	if i := strings.LastIndexByte(raw, '='); i >= 0 {
		raw = raw[i+1:]
	}
	var b strings.Builder
	for _, c := range raw {
		switch {
		case c >= '0' && c <= '9':
			b.WriteRune(c)
		case c >= '۰' && c <= '۹': // Persian digits
			b.WriteRune('0' + c - '۰')
		case c >= '٠' && c <= '٩': // Arabic digits
			b.WriteRune('0' + c - '٠')
		case c == '#', c == '*' && !strings.ContainsAny(b.String(), "0123456789"):
			b.WriteRune(c)
		case c == '+' && b.Len() == 0:
			b.WriteRune(c)
		case c == '.', c == 'X', c == 'x', c == '*':
			if feature(b.String()) {
				b.WriteRune(c)
				continue
			}
			return b.String(), true
		}
	}
	return b.String(), false
}

// feature reports whether digits begin a service code such as *21*.
func feature(s string) bool { return strings.HasPrefix(s, "*") || strings.HasPrefix(s, "#") }

// release takes the release code off, if what remains is something one can
// dial and what was there is not a number of the same kind.
func (r *Reader) release(n *Number) {
	rest, ok := strings.CutPrefix(n.Shown, r.plan.Release)
	if r.plan.Release == "" || !ok || rest == "" {
		return
	}
	before, after := r.classify(n.Shown), r.classify(rest)
	switch {
	case after == none && !(n.Hidden && len(rest) >= 2):
		return
	case before == after && r.valid(n.Shown):
		n.Ambiguous = r.valid(rest)
		return
	}
	n.Ambiguous = before > short && r.valid(n.Shown) && r.valid(rest)
	n.Shown, n.Released = rest, true
}

// class is how a number is written.
type class uint8

const (
	none class = iota
	short
	local
	national
	international
)

// classify tells how digits are written, by prefix and length alone.
func (r *Reader) classify(s string) class {
	switch {
	case strings.ContainsAny(s, "*#"):
		return none
	case strings.HasPrefix(s, "+"), len(s) > 8 && strings.HasPrefix(s, "00"), r.trunk == "8" && len(s) > 10 && strings.HasPrefix(s, "810"):
		return international
	case len(s) >= 3 && len(s) <= 5:
		return short
	case r.local > 0 && len(s) == r.local:
		return local
	case r.national > 0 && (len(s) == r.national || len(s) == r.national+len(r.trunk) && strings.HasPrefix(s, r.trunk)):
		return national
	case r.calling != "" && len(s) == len(r.calling)+r.national && strings.HasPrefix(s, r.calling):
		return international
	}
	return none
}

// valid reports whether digits are a number that exists in the plan.
func (r *Reader) valid(s string) bool {
	if r.classify(s) == short {
		return r.validShort(s)
	}
	_, valid, _ := r.parse(s)
	return valid
}

// validShort reports whether digits are a short code of the country, such as
// an emergency number.
func (r *Reader) validShort(s string) bool {
	num, err := phonenumbers.Parse(s, r.region)
	return err == nil && phonenumbers.IsValidShortNumberForRegion(num, r.region)
}

// parse reads digits into E.164; possible says that at least the length is
// that of a number of this country.
func (r *Reader) parse(s string) (e164 string, valid, possible bool) {
	if r.region == "" {
		return "", false, false
	}
	if r.classify(s) == local {
		s = r.trunk + r.plan.City + s
	}
	num, err := phonenumbers.Parse(r.straighten(s), r.region)
	if err != nil {
		return "", false, false
	}
	ours := strconv.Itoa(int(num.GetCountryCode())) == r.calling
	possible = phonenumbers.IsPossibleNumber(num) &&
		(!ours || len(phonenumbers.GetNationalSignificantNumber(num)) == r.national)
	return phonenumbers.Format(num, phonenumbers.E164), phonenumbers.IsValidNumber(num), possible
}

// straighten mends prefixes that the library does not take: doubled signs, and
// a trunk prefix behind the country's code (0098 0912…).
func (r *Reader) straighten(s string) string {
	international := ""
	switch {
	case strings.HasPrefix(s, "+"):
		international = strings.TrimLeft(s, "+")
	case strings.HasPrefix(s, "00"):
		international = s[2:]
	default:
		return s
	}
	if rest, ok := strings.CutPrefix(international, r.calling); ok && r.trunk == "0" {
		international = r.calling + strings.TrimLeft(rest, "0")
	}
	return "+" + international
}

// normalise fills in E164.
func (r *Reader) normalise(n *Number) {
	if n.Hidden || n.Shown == "" || feature(n.Shown) {
		return
	}
	digits, _, _ := strings.Cut(n.Shown, "#")
	if c := r.classify(digits); c == short {
		return
	}
	e164, valid, possible := r.parse(digits)
	if !valid && !possible {
		return
	}
	n.E164, n.Unproven = e164, !valid
}
