package crm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretIsNeverShown(t *testing.T) {
	const text = "s3cr3t-of-the-office"
	s := NewSecret(text)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "secret", s, "in", struct{ S Secret }{s}, "list", []Secret{s})
	b, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(b) + fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s, s, s, s, &s) +
		fmt.Sprintf("%v %+v %#v", struct{ S Secret }{s}, []Secret{s}, map[string]Secret{"a": s})
	if strings.Contains(shown, "s3cr3t") || strings.Contains(shown, fmt.Sprintf("%x", text)) {
		t.Errorf("shown: %s", shown)
	}
	if !strings.Contains(shown, "****") {
		t.Errorf("nothing in its place: %s", shown)
	}
}

func TestSecretPlaces(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MARKAZ_TEST_SECRET", "from-env")
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for ref, want := range map[string]string{
		"env:MARKAZ_TEST_SECRET": "from-env", "file:" + file: "from-file", "credential:key": "from-file",
		"credential:../" + filepath.Base(dir) + "/key": "from-file", "plain": "plain", "with:colon": "with:colon",
	} {
		if got, err := NewSecret(ref).Reveal(); err != nil || got != want {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"env:MARKAZ_TEST_NONE", "file:" + file + ".none", "credential:none"} {
		if _, err := NewSecret(ref).Reveal(); err == nil {
			t.Errorf("%s was read", ref)
		}
	}
}
