package ivr

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func schedule(t *testing.T, h Hours) *Schedule {
	t.Helper()
	s, problems := h.compile()
	for _, p := range problems {
		t.Fatalf("%s: %s %v", p.path, p.code, p.args)
	}
	return s
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// hoursCase is a moment, whether it is open then, and when that changes.
type hoursCase struct {
	name  string
	hours Hours
	at    string
	open  bool
	next  string // "" for never
}

func checkHours(t *testing.T, cases []hoursCase) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			s := schedule(t, tt.hours)
			now := at(t, tt.at)
			if got := s.Open(now); got != tt.open {
				t.Errorf("open = %v", got)
			}
			next, ok := s.Next(now)
			if ok != (tt.next != "") {
				t.Fatalf("next = %v, %v", next, ok)
			}
			if ok && !next.Equal(at(t, tt.next)) {
				t.Errorf("next = %v, want %v", next, tt.next)
			}
		})
	}
}

func TestHours(t *testing.T) {
	tehran := Hours{
		Zone: "Asia/Tehran",
		Open: []string{"sat-wed 08:00-12:00,13:00-17:00", "thu 08:00-12:00"},
		Holidays: []Holiday{
			{Date: "2026-03-21", To: "2026-03-24", Name: "Nowruz"},
			{Date: "2026-03-25", Name: "half a day", Open: []string{"09:00-10:30"}},
			{Date: "05-01", Name: "every year"},
		},
	}
	checkHours(t, []hoursCase{
		{"before opening", tehran, "2026-03-10T07:59:59+03:30", false, "2026-03-10T08:00:00+03:30"},
		{"at opening", tehran, "2026-03-10T08:00:00+03:30", true, "2026-03-10T12:00:00+03:30"},
		{"at closing", tehran, "2026-03-10T12:00:00+03:30", false, "2026-03-10T13:00:00+03:30"},
		{"asked in another zone", tehran, "2026-03-10T05:00:00Z", true, "2026-03-10T08:30:00Z"},
		{"over the weekend", tehran, "2026-03-12T12:00:00+03:30", false, "2026-03-14T08:00:00+03:30"},
		{"into the holidays", tehran, "2026-03-19T12:00:00+03:30", false, "2026-03-25T09:00:00+03:30"},
		{"in the holidays", tehran, "2026-03-22T10:00:00+03:30", false, "2026-03-25T09:00:00+03:30"},
		{"half a day", tehran, "2026-03-25T10:29:59+03:30", true, "2026-03-25T10:30:00+03:30"},
		{"a day of every year", tehran, "2027-05-01T10:00:00+03:30", false, "2027-05-02T08:00:00+03:30"},

		{"override open", Hours{Zone: "UTC", Override: AlwaysOpen}, "2026-03-10T00:00:00Z", true, ""},
		{"override closed", Hours{Zone: "UTC", Open: []string{"daily 00:00-24:00"}, Override: AlwaysClosed}, "2026-03-10T00:00:00Z", false, ""},
		{"always open", Hours{Zone: "UTC", Open: []string{"daily 00:00-24:00"}}, "2026-03-10T00:00:00Z", true, ""},
		{
			"next year's holiday",
			Hours{Zone: "Asia/Tehran", Open: []string{"daily 00:00-24:00"}, Holidays: []Holiday{{Date: "03-20"}}},
			"2026-03-21T00:00:00+03:30", true, "2027-03-20T00:00:00+03:30",
		},
	})
	name, ok := schedule(t, tehran).Holiday(at(t, "2026-03-24T20:00:00Z"))
	if !ok || name != "Nowruz" {
		t.Errorf("holiday = %q, %v", name, ok)
	}
	if name, ok := schedule(t, tehran).Holiday(at(t, "2026-03-26T00:00:00Z")); ok {
		t.Errorf("an ordinary day is %q", name)
	}
}

func TestHoursAcrossOffsets(t *testing.T) {
	tehran := Hours{Zone: "Asia/Tehran", Open: []string{"daily 08:00-12:00"}}
	moscow := Hours{Zone: "Europe/Moscow", Open: []string{"mon-fri 9:00-18:00"}}
	newYork := Hours{Zone: "America/New_York", Open: []string{"daily 01:30-02:30", "fri 22:00-01:30"}}
	checkHours(t, []hoursCase{
		{"no summer time in Tehran since 2022", tehran, "2026-06-22T04:30:00Z", true, "2026-06-22T08:30:00Z"},
		{"summer time in Tehran in 2021", tehran, "2021-06-22T03:30:00Z", true, "2021-06-22T07:30:00Z"},
		{"Moscow in summer", moscow, "2026-07-01T06:00:00Z", true, "2026-07-01T15:00:00Z"},
		{"Moscow in winter", moscow, "2026-01-14T05:59:59Z", false, "2026-01-14T06:00:00Z"},

		// 8 March 2026: the clocks go from 02:00 to 03:00.
		{"spring: closes early", newYork, "2026-03-08T01:45:00-05:00", true, "2026-03-08T03:00:00-04:00"},
		{"spring: after the gap", newYork, "2026-03-08T03:00:00-04:00", false, "2026-03-09T01:30:00-04:00"},
		// 1 November 2026: the clocks go from 02:00 back to 01:00.
		{"autumn: first 01:30", newYork, "2026-11-01T01:30:00-04:00", true, "2026-11-01T01:00:00-05:00"},
		{"autumn: closed again", newYork, "2026-11-01T01:00:00-05:00", false, "2026-11-01T01:30:00-05:00"},
		{"autumn: second 01:30", newYork, "2026-11-01T01:30:00-05:00", true, "2026-11-01T02:30:00-05:00"},
		{"over midnight", newYork, "2026-07-03T23:00:00-04:00", true, "2026-07-04T02:30:00-04:00"},
	})
}

// Ensure that Next is the first minute at which Open changes, by looking at
// every minute, around the days on which the offset of some zone changes.
func TestNextIsTheFirstChange(t *testing.T) {
	days := []string{"2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2021-03-21", "2021-09-20"}
	zones := []string{"America/New_York", "Europe/Moscow", "Asia/Tehran", "Europe/Berlin", "Australia/Lord_Howe", "UTC"}
	clocks := rapid.Custom(func(t *rapid.T) string {
		from := rapid.IntRange(0, 47).Draw(t, "from") * 30
		to := (from + rapid.IntRange(1, 47).Draw(t, "length")*30) % minutesPerDay
		return time.Time{}.Add(time.Duration(from)*time.Minute).Format("15:04") + "-" +
			time.Time{}.Add(time.Duration(to)*time.Minute).Format("15:04")
	})
	rapid.Check(t, func(t *rapid.T) {
		h := Hours{Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
		for _, day := range []string{"fri", "sat", "sun", "mon"} {
			if rapid.Bool().Draw(t, day) {
				h.Open = append(h.Open, day+" "+clocks.Draw(t, "clock"))
			}
		}
		s, _ := h.compile()
		day, err := time.Parse(time.DateOnly, rapid.SampledFrom(days).Draw(t, "day"))
		if err != nil {
			t.Fatal(err)
		}
		from := day.Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "minute")) * time.Minute)
		limit := from.Add(60 * time.Hour)
		want := limit
		for c := from.Add(time.Minute); c.Before(limit); c = c.Add(time.Minute) {
			if s.Open(c) != s.Open(from) {
				want = c
				break
			}
		}
		got, ok := s.Next(from)
		if !ok || got.After(limit) {
			got = limit
		}
		if !got.Equal(want) {
			t.Fatalf("%+v: after %v: got %v, want %v", h, from, got, want)
		}
	})
}
