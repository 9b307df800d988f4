package lang

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// counted is the placeholder whose value decides the form of the words.
const counted = "n"

// message is one sentence by its forms: "other" always, then the plural
// categories of the language (CLDR), then single numbers as "=2".
type message map[string]text

// text is a sentence with placeholders.
type text string

// UnmarshalJSON takes a plain string for a sentence of one form.
func (m *message) UnmarshalJSON(raw []byte) error {
	var one text
	if json.Unmarshal(raw, &one) == nil {
		*m = message{"other": one}
		return nil
	}
	var forms map[string]text
	if err := json.Unmarshal(raw, &forms); err != nil {
		return fmt.Errorf("decode message: %w", err)
	}
	*m = forms
	return nil
}

// form chooses the form for the value of n, if there is one.
func (m message) form(tag language.Tag, args []any) text {
	if len(m) > 1 {
		if n, ok := count(args); ok {
			if t, ok := m[fmt.Sprintf("=%d", n)]; ok {
				return t
			}
			if t, ok := m[category(tag, n)]; ok {
				return t
			}
		}
	}
	return m["other"]
}

// count finds the whole number that decides the form.
func count(args []any) (int64, bool) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] != counted {
			continue
		}
		if v := reflect.ValueOf(args[i+1]); v.CanInt() {
			return v.Int(), true
		}
	}
	return 0, false
}

// category is the plural category of a whole number by the rules of CLDR.
func category(tag language.Tag, n int64) string {
	if n < 0 {
		n = -n
	}
	// The rules look at the last digits only; MatchPlural takes the number
	// modulo 10,000,000.
	switch plural.Cardinal.MatchPlural(tag, int(n%10_000_000), 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	}
	return "other"
}

// fill puts the values into the placeholders. What stands in a value is never
// taken for a placeholder.
func (t text) fill(args []any) string {
	if len(args) < 2 {
		return string(t)
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, "{"+fmt.Sprint(args[i])+"}", fmt.Sprint(args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(string(t))
}
