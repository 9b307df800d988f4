package call_test

import (
	"testing"

	"markaz/call"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"  Maryam Karimi ":            "Maryam Karimi",
		"مریم کریمی":                  "مریم کریمی",
		"a\r\nSET VARIABLE X 1\x00":   "aSET VARIABLE X 1",
		"\u202egnp.exe\u202c":         "gnp.exe",
		"\"quoted\" <b>":              "\"quoted\" <b>",
		"bad \xff\xfe bytes":          "bad  bytes",
		"1234567890123456789012345ab": "12345678901234567890",
	} {
		if got := call.Clean(in, 20); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}
