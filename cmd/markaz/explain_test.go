package main

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"markaz/apps/history"
	"markaz/call"
)

// explains checks that the history tells of a call what the stream does, that
// it can say why, and that a replay finds nothing to correct.
func (h *house) explains(ctx context.Context, want call.Call) {
	h.t.Helper()
	var x history.Explanation
	for {
		out, err := h.Command(ctx, "explain", want.ID, "--json", "--lang", "en")
		h.must(err)
		h.must(json.Unmarshal([]byte(out), &x))
		if x.Call.Seq >= want.Seq || ctx.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond) // the history follows the stream
	}
	if !reflect.DeepEqual(x.Call, want) {
		h.t.Errorf("the history has %+v\nthe stream has  %+v", x.Call, want)
	}
	var why []string
	for _, s := range x.Why {
		why = append(why, s.Text)
	}
	for _, word := range []string{"answered because a person talked: sara (101)", "Queue sales: waited", "talked for", "hung up normally"} {
		if !strings.Contains(strings.Join(why, "\n"), word) {
			h.t.Errorf("%q is not in %q", word, why)
		}
	}
	set := map[string]call.Kind{}
	for _, f := range x.Fields {
		set[f.Name] = f.By.Kind
	}
	if set["disposition"] != call.CallEnded || set["answered"] != call.CallAnswered || set["recording 1"] == "" {
		h.t.Errorf("fields set by %v", set)
	}
	for _, c := range []struct{ args, want string }{
		{"explain --lang fa " + want.ID, "پاسخ داده شده است"},
		{"replay --since 1h", " change"},
		{"report --by queue --csv --direction inbound", "\nsales,"},
		{"report --by month --lang fa", "سطح خدمت"},
		{"calls " + want.ID, "hung up normally"},
	} {
		out, err := h.Command(ctx, strings.Fields(c.args)...)
		h.must(err)
		if !strings.Contains(out, c.want) || strings.Contains(out, " -> ") {
			h.t.Errorf("markaz %s says:\n%s", c.args, out)
		}
	}
}

func TestDatesOfBothCalendars(t *testing.T) {
	today := time.Date(2026, 3, 21, 0, 0, 0, 0, time.Local)
	for text, want := range map[string]string{
		"": "2026-03-21", "1405-01-01": "2026-03-21", "۱۴۰۴-۱۲-۲۹": "2026-03-20", "2026-2-28": "2026-02-28",
		"2026-02-29": "", "1404-12-30": "", "yesterday": "", "2026-03": "",
	} {
		got, err := day(text, today)
		if (err != nil) != (want == "") || err == nil && got.Format(time.DateOnly) != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	if _, err := (reportCmd{By: "hour", From: "2026-03-22", To: "2026-03-21"}).query(false, today); err == nil {
		t.Error("a time that ends before it begins")
	}
	if got := harmless("=HYPERLINK(1)"); got != "'=HYPERLINK(1)" {
		t.Errorf("a formula: %s", got)
	}
}
