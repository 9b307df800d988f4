package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ownerFile names the process that a temporary folder belongs to.
const ownerFile = ".owner"

// TempDir makes a folder in the temporary folder whose name begins with prefix.
// Folders of that prefix whose owner was killed are removed on the way, because
// whoever is killed cannot clean up after himself.
func TempDir(prefix string) (string, error) {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*", ownerFile))
	if err != nil {
		return "", fmt.Errorf("find old folders: %w", err)
	}
	for _, file := range old {
		if !ownerLives(file) {
			_ = os.RemoveAll(filepath.Dir(file)) // another process may be at it, too
		}
	}
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ownerFile), []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	return dir, nil
}

func ownerLives(file string) bool {
	raw, err := os.ReadFile(file)
	if err != nil {
		return true // gone in the meantime, or not ours to judge
	}
	pid := strings.TrimSpace(string(raw))
	_, err = os.Stat("/proc/" + pid)
	return pid == "" || err == nil
}
