package prompt

import (
	"os"
	"path/filepath"
)

// Installed gives a function that reports whether a PBX that keeps its sounds
// in a folder has a sound: a path without extension, from the root or below
// the folder, there also below the folder of one of the languages (Asterisk's
// languageprefix). It is of use on the machine of the PBX only.
func Installed(folder string, languages []string) func(path string) bool {
	return func(path string) bool {
		if filepath.IsAbs(path) {
			return playable(path)
		}
		for _, l := range append([]string{""}, languages...) {
			if playable(filepath.Join(folder, l, path)) {
				return true
			}
		}
		return false
	}
}

// playable reports whether there is a file of a format that every Asterisk
// build can play.
func playable(path string) bool {
	for _, extension := range []string{"wav", "gsm", "ulaw", "alaw", "sln", "g722", "wav49", "wav16", "sln16"} {
		if info, err := os.Stat(path + "." + extension); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			return true
		}
	}
	return false
}
