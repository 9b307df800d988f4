package smdr

import (
	"slices"
	"strings"
	"testing"
)

func TestFamilyOf(t *testing.T) {
	for model, want := range map[string]Family{
		"KX-TDA200": TDA, "kx-ns500": TDA, "KX NSX2000": TDA, "TDE600": TDA, "KX-NCP1000": TDA,
		"KX-TD1232": TD, "TD816": TD, "KX-TES824": TA, "KX-TEM824": TA, "ta308": TA,
	} {
		if got, err := FamilyOf(model); err != nil || got != want {
			t.Errorf("%s is of family %v (%v), want %v", model, got, err, want)
		}
	}
	for _, model := range []string{"KX-1232", "1232", "KX-T1232"} {
		if _, err := FamilyOf(model); err == nil || !strings.Contains(err.Error(), "prints no record when a call rings") {
			t.Errorf("%s: %v", model, err)
		}
	}
	for _, model := range []string{"DBS576", "KX-HTS824", "KX-HTS32"} {
		if _, err := FamilyOf(model); err == nil || !strings.Contains(err.Error(), "line monitor instead") {
			t.Errorf("%s: %v", model, err)
		}
	}
	if _, err := FamilyOf("KX-TDX9"); err == nil || !strings.Contains(err.Error(), "KX-NS500") {
		t.Errorf("an unknown model: %v", err)
	}
	for _, model := range Models() {
		if _, err := FamilyOf(model); err != nil {
			t.Error(err)
		}
	}
}

func TestDateOrders(t *testing.T) {
	possible := func(a, b, c int) (names []string) {
		for _, o := range Orders() {
			if o.Possible(a, b, c) {
				names = append(names, o.String())
			}
		}
		return names
	}
	for _, c := range []struct {
		a, b, c int
		want    string
	}{
		{23, 10, 26, "DD/MM/YY YY/MM/DD"}, // 26 October 2023 is a date too
		{10, 23, 26, "MM/DD/YY"},
		{26, 10, 31, "DD/MM/YY YY/MM/DD"},
		{5, 6, 7, "MM/DD/YY DD/MM/YY YY/MM/DD YY/DD/MM"},
		{0, 0, 0, ""},
	} {
		if got := strings.Join(possible(c.a, c.b, c.c), " "); got != c.want {
			t.Errorf("%02d/%02d/%02d may be %q, want %q", c.a, c.b, c.c, got, c.want)
		}
	}
	if _, err := ParseDateOrder("yy/mm/dd"); err != nil {
		t.Error(err)
	}
	if _, err := ParseDateOrder("DDMMYY"); err == nil {
		t.Error("DDMMYY was taken for an order")
	}
}

func TestPossibleOrders(t *testing.T) {
	p := Parser{Family: TDA}
	line := func(date string) []byte { return []byte(date + " 09:41AM   204 03 0912            00:03'20") }
	orders, dated := p.PossibleOrders([][]byte{line("12/11/26"), []byte("hello"), line("23/11/26")})
	if dated != 2 || !slices.Equal(orders, []DateOrder{DMY, YMD}) {
		t.Errorf("%v of %d", orders, dated)
	}
	if orders, dated := p.PossibleOrders(nil); dated != 0 || len(orders) != 4 {
		t.Errorf("of nothing: %v, %d", orders, dated)
	}
}
