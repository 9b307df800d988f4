package number

import (
	"strings"
	"testing"
)

func reader(t *testing.T, p Plan) *Reader {
	t.Helper()
	r, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDialled(t *testing.T) {
	tehran := Plan{Country: "98", City: "21", Release: "9"}
	zero := Plan{Country: "IR", City: "21", Release: "0"}
	moscow := Plan{Country: "RU", City: "495", Release: "9"}
	for _, c := range []struct {
		plan Plan
		raw  string
		want Number
	}{
		{tehran, "909122800039", Number{Shown: "09122800039", E164: "+989122800039", Released: true}},
		{tehran, "09122800039", Number{Shown: "09122800039", E164: "+989122800039"}},
		{tehran, "99122800039", Number{Shown: "9122800039", E164: "+989122800039", Released: true}},
		{tehran, "9122800039", Number{Shown: "9122800039", E164: "+989122800039"}},
		{tehran, "922514321", Number{Shown: "22514321", E164: "+982122514321", Released: true}},
		{tehran, "22514321", Number{Shown: "22514321", E164: "+982122514321"}},
		{tehran, "9110", Number{Shown: "110", Released: true}},
		{tehran, "110", Number{Shown: "110"}},
		{tehran, "91515", Number{Shown: "1515", Released: true}},
		{tehran, "900491711234567", Number{Shown: "00491711234567", E164: "+491711234567", Released: true}},
		{tehran, "9*0912", Number{Shown: "9", Hidden: true}},
		{tehran, "9=0P912-280 0039", Number{Shown: "09122800039", E164: "+989122800039"}},
		{tehran, "90912...", Number{Shown: "0912", Hidden: true, Released: true}},
		{tehran, "0912***0039", Number{Shown: "0912", Hidden: true}},
		{tehran, "091228XX", Number{Shown: "091228", Hidden: true}},
		{tehran, "*21*101#", Number{Shown: "*21*101#"}},
		{tehran, "09411234567", Number{Shown: "09411234567", E164: "+989411234567", Unproven: true}},
		{tehran, "", Number{}},
		{zero, "009122800039", Number{Shown: "09122800039", E164: "+989122800039", Released: true}},
		{zero, "09122800039", Number{Shown: "09122800039", E164: "+989122800039", Ambiguous: true}},
		{zero, "022514321", Number{Shown: "22514321", E164: "+982122514321", Released: true}},
		{zero, "0110", Number{Shown: "110", Released: true}},
		{moscow, "989161234567", Number{Shown: "89161234567", E164: "+79161234567", Released: true}},
		{moscow, "84951234567", Number{Shown: "84951234567", E164: "+74951234567"}},
		{moscow, "8 (495) 123-45-67", Number{Shown: "84951234567", E164: "+74951234567"}},
		{moscow, "91234567", Number{Shown: "1234567", E164: "+74951234567", Released: true}},
		{moscow, "98109891228000 39", Number{Shown: "8109891228000" + "39", E164: "+989122800039", Released: true}},
	} {
		got := reader(t, c.plan).Dialled(c.raw)
		c.want.Raw = c.raw
		if got != c.want {
			t.Errorf("dialled %q with release %s\n got %+v\nwant %+v", c.raw, c.plan.Release, got, c.want)
		}
	}
}

func TestCaller(t *testing.T) {
	tehran := Plan{Country: "IR", City: "21", Release: "9"}
	back := tehran
	back.ReleaseOnCallers = true
	for _, c := range []struct {
		plan Plan
		raw  string
		want Number
	}{
		{tehran, "989122800039", Number{Shown: "989122800039", E164: "+989122800039"}},
		{tehran, "00989122800039", Number{Shown: "00989122800039", E164: "+989122800039"}},
		{tehran, "++989122800039", Number{Shown: "+989122800039", E164: "+989122800039"}},
		{tehran, "00980912280 0039", Number{Shown: "009809122800039", E164: "+989122800039"}},
		{tehran, "+9809122800039", Number{Shown: "+9809122800039", E164: "+989122800039"}},
		{tehran, "۰۹۱۲۲۸۰۰۰۳۹", Number{Shown: "09122800039", E164: "+989122800039"}},
		{tehran, "922514321", Number{Shown: "922514321"}}, // a release code stays on callers
		{back, "922514321", Number{Shown: "22514321", E164: "+982122514321", Released: true}},
		{tehran, "204", Number{Shown: "204"}},
		{tehran, "0912...", Number{Shown: "0912", Hidden: true}},
		{Plan{}, "09122800039", Number{Shown: "09122800039"}},
	} {
		got := reader(t, c.plan).Caller(c.raw)
		c.want.Raw = c.raw
		if got != c.want {
			t.Errorf("caller %q\n got %+v\nwant %+v", c.raw, got, c.want)
		}
	}
}

func TestDialPutsTheReleaseCodeBack(t *testing.T) {
	r := reader(t, Plan{Country: "IR", City: "21", Release: "9"})
	if got := r.Dial(r.Dialled("922514321").Shown); got != "922514321" {
		t.Error(got)
	}
}

func TestValidate(t *testing.T) {
	err := Plan{Country: "XX", City: "021", Release: "nine", LocalLength: 40}.Validate()
	for _, key := range []string{"country:", "city:", "release:", "local_length:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("no fault for %s in %v", key, err)
		}
	}
	if _, err := New(Plan{Country: "999999"}); err == nil {
		t.Error("999999 was taken for a calling code")
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("90912...", "9", true)
	f.Add("9=0P912-280 0039", "0", false)
	f.Fuzz(func(t *testing.T, raw, release string, dialled bool) {
		r, err := New(Plan{Country: "IR", City: "21", Release: release})
		if err != nil {
			return
		}
		n := r.Caller(raw)
		if dialled {
			n = r.Dialled(raw)
		}
		if n.Raw != raw || n.Hidden && n.E164 != "" || !dialled && n.Released {
			t.Fatalf("%+v", n)
		}
		if n.E164 != "" && strings.Trim(n.E164[1:], "0123456789") != "" {
			t.Fatalf("%+v", n)
		}
	})
}

func BenchmarkDialled(b *testing.B) {
	r, err := New(Plan{Country: "IR", City: "21", Release: "9"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r.Dialled("909122800039").E164 == "" {
			b.Fatal("unread")
		}
	}
}
