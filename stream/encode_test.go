package stream

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/call"
)

// fill gives every field of a struct a value, one that must be kept.
func fill(v reflect.Value, text func() string, n func() int64) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(time.Unix(n()&0xffffffff, n()&0xfffffff).UTC()))
		case bool:
			f.SetBool(n()%2 == 0)
		case map[string]string:
			f.Set(reflect.ValueOf(map[string]string{text(): text(), text(): text()}))
		case []call.Cap:
			f.Set(reflect.ValueOf([]call.Cap{call.Cap(text()), call.CapSpy}))
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString(text())
			case reflect.Int, reflect.Int64:
				f.SetInt(n())
			case reflect.Uint64:
				f.SetUint(uint64(n()))
			default:
				panic("event has a field of a new type: " + f.Type().String())
			}
		}
	}
}

func sameJSON(t interface{ Fatalf(string, ...any) }, e call.Event) {
	want, err := json.Marshal(e)
	if err != nil {
		t.Fatalf("%v", err)
	}
	got, err := appendJSON([]byte("before"), &e)
	if err != nil || string(got) != "before"+string(want) {
		t.Fatalf("got  %s %v\nwant %s", got, err, want)
	}
}

func TestEventsAreEncodedAsByTheStandardLibrary(t *testing.T) {
	sameJSON(t, call.Event{})
	sameJSON(t, event(1))
	var full call.Event
	fill(reflect.ValueOf(&full).Elem(), func() string { return "x" }, func() int64 { return 12345 })
	sameJSON(t, full)
	for i := range reflect.TypeFor[call.Event]().NumField() {
		// Each field alone, so that none hides behind another.
		var one call.Event
		reflect.ValueOf(&one).Elem().Field(i).Set(reflect.ValueOf(full).Field(i))
		sameJSON(t, one)
	}
}

func TestAnyTextIsEncodedAsByTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.SampledFrom([]string{"", "\x7f", "\u2028", "<script>&", `"\`, "رضا", "\u202e"}))
		var e call.Event
		fill(reflect.ValueOf(&e).Elem(), func() string { return text.Draw(t, "text") }, func() int64 { return rapid.Int64().Draw(t, "n") })
		sameJSON(t, e)

		raw, err := appendRecord(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		stampRecord(raw, 7, 8, 9)
		r, err := parseRecord(raw)
		if err != nil || r.session != 7 || r.index != 8 || r.at != 9 || string(r.id) != e.ID || string(r.kind) != string(e.Kind) ||
			string(r.key) != orderKey(&e) || !json.Valid(r.json) {
			t.Fatalf("%+v %v", r, err)
		}
	})
}

func TestTimesThatJSONCannotHoldAreRefused(t *testing.T) {
	e := event(1)
	e.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := json.Marshal(e); err == nil {
		t.Fatal("the standard library takes it")
	}
	if _, err := appendJSON(nil, &e); err == nil {
		t.Fatal("taken")
	}
}

func FuzzRecord(f *testing.F) {
	raw, _ := appendRecord(nil, &call.Event{ID: "a", Kind: "b"})
	f.Add(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRecord(b); err == nil && len(r.id)+len(r.kind)+len(r.key)+len(r.json) > len(b) {
			t.Fatal("longer than its bytes")
		}
	})
}
