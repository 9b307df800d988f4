package prompt

import (
	"os"
	"path/filepath"
	"testing"
)

func TestInstalled(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"custom/welcome.wav", "fa/vm-goodbye.gsm", "custom/empty.wav"} {
		path := filepath.Join(dir, file)
		content := []byte("x")
		if filepath.Base(file) == "empty.wav" {
			content = nil
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	has := Installed(dir, []string{"en", "fa"})
	for path, want := range map[string]bool{
		"custom/welcome": true, "vm-goodbye": true, filepath.Join(dir, "custom/welcome"): true,
		"custom/empty": false, "custom": false, "welcome": false, "custom/welcome.wav": false,
	} {
		if has(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
