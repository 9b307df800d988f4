package office

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/redisbed"
)

// Build builds the markaz program from this checkout, with the race detector
// if the test has it, and returns its path.
func Build(dir string, race bool) (string, error) {
	path := filepath.Join(dir, "markaz")
	args := []string{"build", "-o", path}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "markaz/cmd/markaz")...)
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
}

// StartT starts an office that ends with the test. Where Asterisk or Redis is
// not installed the test is skipped, or fails when REQUIRE_REAL is set.
func StartT(t testing.TB, opt Options) *Office {
	t.Helper()
	o, err := Start(t.Context(), opt)
	if missing := errors.Is(err, testbed.ErrMissing) || errors.Is(err, redisbed.ErrMissing); missing && os.Getenv("REQUIRE_REAL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("markaz:\n%s\nasterisk:\n%s", tail(o.Log(), 80), tail(o.Bed.Log(), 20))
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}
