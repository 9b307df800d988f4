package smdr

import (
	"fmt"
	"strings"
)

// Family is a group of models that print alike.
type Family uint8

// The families.
const (
	TDA Family = iota + 1 // KX-TDA, TDE, NCP, NS, NSX: columns, end time, condition codes
	TD                    // KX-TD816/1232/500: the same columns, caller's number before his name
	TA                    // KX-TA, TEA, TEB, TES, TEM: loose columns, start time, no condition codes
)

// String names the family after its best known member.
func (f Family) String() string {
	switch f {
	case TDA:
		return "KX-TDA"
	case TD:
		return "KX-TD"
	case TA:
		return "KX-TA"
	}
	return "unknown"
}

// PrintsStart reports whether the printed time is that of the call's start
// (KX-TA616 manual p. 106, KX-TES824 feature guide p. 154), not of its end
// (KX-TDA feature guide, "SMDR format").
func (f Family) PrintsStart() bool { return f == TA }

// families lists the models of each family by the name without maker's prefix
// and hyphens.
func families() map[Family]string {
	return map[Family]string{
		TDA: "TDA15 TDA30 TDA50 TDA100 TDA100D TDA200 TDA600 TDE100 TDE200 TDE600 " +
			"NCP500 NCP1000 NS300 NS500 NS700 NS1000 NSX1000 NSX2000",
		TD: "TD816 TD1232 TD500",
		TA: "TA308 TA616 TA624 TA824 TEA308 TEB308 TES824 TEM824",
	}
}

// Models lists every model that is understood, in the maker's spelling.
func Models() []string {
	var all []string
	for _, f := range []Family{TDA, TD, TA} {
		for _, m := range strings.Fields(families()[f]) {
			all = append(all, "KX-"+m)
		}
	}
	return all
}

// FamilyOf finds a model's family; "KX-", blanks, hyphens and letter case do
// not matter. KX-1232 is refused: it prints no record when a call rings, and
// its lines are not those of KX-TD1232. DBS, ICX and KX-HTS are refused: they
// print other records.
func FamilyOf(model string) (Family, error) {
	bare := strings.NewReplacer("-", "", " ", "", "_", "").Replace(strings.ToUpper(model))
	bare = strings.TrimPrefix(bare, "KX")
	if bare == "1232" || bare == "T1232" {
		return 0, fmt.Errorf("model %s is not supported: it prints no record when a call rings; "+
			"attach its lines to a line monitor instead, or name KX-TD1232 if that is what you have", model)
	}
	switch {
	case strings.HasPrefix(bare, "DBS"), strings.HasPrefix(bare, "ICX"):
		return 0, fmt.Errorf("model %s is not supported: its records have no year and a layout of their own; "+
			"attach its lines to a line monitor instead", model)
	case strings.HasPrefix(bare, "HTS"):
		return 0, fmt.Errorf("model %s is not supported as an exchange: it prints comma-separated records of the Asterisk inside it; "+
			"attach its lines to a line monitor instead", model)
	}
	for f, models := range families() {
		for m := range strings.FieldsSeq(models) {
			if m == bare {
				return f, nil
			}
		}
	}
	return 0, fmt.Errorf("model %q is not known; known are %s", model, strings.Join(Models(), ", "))
}
