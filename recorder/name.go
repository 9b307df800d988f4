package recorder

import (
	"strings"
	"time"

	"markaz/call"
)

const (
	suffix     = ".wav"
	callIDLen  = 26 // of call.NewID
	maxID      = 96
	maxParty   = 32 // letters of a number in a name
	doomedMark = ".deleted"
	partMark   = ".part"
)

// Name gives the path of a recording within the archive, always with slashes:
// YYYY/MM/DD/HHMMSS_id_from_to.wav, in the time zone of started. Whatever is
// not fit for a name, such as the hidden digits of a number, is replaced by a
// hyphen. The id begins with the call's, and parts two recordings of a call.
func Name(started time.Time, id, from, to string) string {
	return started.Format("2006/01/02/150405") + "_" + safe(id, maxID) + "_" + safe(from, maxParty) + "_" + safe(to, maxParty) + suffix
}

// safe keeps letters, digits and + . - and makes one hyphen of any run of
// other signs; "_" parts the fields of a name, so it is none of theirs.
func safe(s string, most int) string {
	var b strings.Builder
	gap := false
	for _, r := range s {
		if b.Len() >= most {
			break
		}
		if !fitForName(r) || r == '_' {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return "unknown"
	}
	return b.String()
}

func fitForName(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || strings.ContainsRune("+._-", r)
}

// title is what a file's name says.
type title struct {
	day      time.Time // midnight, in the archive's zone
	id       string    // of the recording
	from, to string
}

// parse reads a path that Name made; false for any other, so that nothing but
// a recording is ever opened or deleted.
func parse(file string, zone *time.Location) (title, bool) {
	parts := strings.Split(file, "/")
	if len(parts) != 4 || !strings.HasSuffix(file, suffix) {
		return title{}, false
	}
	day, err := time.ParseInLocation("2006/01/02", strings.Join(parts[:3], "/"), zone)
	if err != nil {
		return title{}, false
	}
	for _, r := range parts[3] {
		if !fitForName(r) {
			return title{}, false
		}
	}
	fields := strings.Split(strings.TrimSuffix(parts[3], suffix), "_")
	if len(fields) != 4 || fields[1] == "" || len(fields[0]) != 6 || strings.Trim(fields[0], "0123456789") != "" {
		return title{}, false
	}
	return title{day: day, id: fields[1], from: fields[2], to: fields[3]}, true
}

// callOf returns the call that a recording's id says it is of; false if the id
// is none of ours.
func callOf(id string) (string, bool) {
	if len(id) < callIDLen || len(id) > maxID {
		return "", false
	}
	if len(id) > callIDLen && id[callIDLen] != '-' {
		return "", false
	}
	for _, r := range id {
		if !fitForName(r) || r == '_' {
			return "", false
		}
	}
	_, ok := call.TimeOf(id[:callIDLen])
	return id[:callIDLen], ok
}
