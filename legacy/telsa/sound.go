package telsa

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jalaali/go-jalaali"
)

// Sound is a finished file.
type Sound struct {
	File   string    `json:"file"` // path within the recorder's folder, with slashes
	Line   string    `json:"line"` // of the exchange
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Exact  bool      `json:"exact"` // the path told the start; else it was counted back from the last write
	Format string    `json:"format"`
	MS     int64     `json:"ms"` // length
	Size   int64     `json:"size"`
	SHA256 string    `json:"sha256"`
}

// ID is what the file is called: it follows from path and content, so that a
// file that is found again is known.
func (s Sound) ID() string {
	sum := sha256.Sum256([]byte(s.File + "\x00" + s.SHA256))
	return "t" + hex.EncodeToString(sum[:8])
}

// reader reads what path and content of files say.
type reader struct {
	cfg  Config
	re   *regexp.Regexp
	zone *time.Location
}

func newReader(cfg Config, zone *time.Location) (*reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(cfg.Pattern)
	if err != nil {
		return nil, fmt.Errorf("read pattern: %w", err)
	}
	if cfg.Zone != "" {
		if zone, err = time.LoadLocation(cfg.Zone); err != nil {
			return nil, fmt.Errorf("read zone: %w", err)
		}
	}
	return &reader{cfg: cfg, re: re, zone: zone}, nil
}

// matches reports whether a path within the folder is that of a recording.
func (r *reader) matches(path string) bool { return r.re.MatchString(path) }

// read reads a finished file.
func (r *reader) read(path string) (Sound, error) {
	f, err := os.Open(filepath.Join(r.cfg.Dir, filepath.FromSlash(path)))
	if err != nil {
		return Sound{}, fmt.Errorf("read recording: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Sound{}, fmt.Errorf("read recording: %w", err)
	}
	format, length, err := Probe(f, st.Size())
	if err != nil {
		return Sound{}, fmt.Errorf("read recording %s: %w", path, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Sound{}, fmt.Errorf("read recording: %w", err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return Sound{}, fmt.Errorf("read recording: %w", err)
	}
	s := Sound{
		File: path, Format: format, MS: length.Milliseconds(), Size: st.Size(), SHA256: hex.EncodeToString(h.Sum(nil)),
		End: st.ModTime().UTC(),
	}
	s.Start = s.End.Add(-length)
	r.path(&s)
	return s, nil
}

// path reads what the path tells.
func (r *reader) path(s *Sound) {
	m := r.re.FindStringSubmatch(s.File)
	group := func(name string) string {
		if i := r.re.SubexpIndex(name); i >= 0 && m != nil {
			return m[i]
		}
		return ""
	}
	s.Line = strings.TrimLeft(group("line"), "0")
	if other, ok := r.cfg.Lines[s.Line]; ok {
		s.Line = other
	}
	n := map[string]int{}
	for _, g := range []string{"y", "mo", "d", "h", "mi", "s"} {
		n[g], _ = strconv.Atoi(group(g))
	}
	if group("y") == "" || n["mo"] < 1 || n["mo"] > 12 || n["d"] < 1 {
		return
	}
	y, mo, d := n["y"], n["mo"], n["d"]
	if y < 100 {
		y += map[string]int{"gregorian": 2000, "jalali": 1400}[r.cfg.Calendar]
	}
	if r.cfg.Calendar == "jalali" {
		gy, gm, gd, err := jalaali.ToGregorian(y, jalaali.Month(mo), d)
		if err != nil {
			return
		}
		y, mo, d = gy, int(gm), gd
	}
	s.Start = time.Date(y, time.Month(mo), d, n["h"], n["mi"], n["s"], 0, r.zone).UTC()
	s.End = s.Start.Add(time.Duration(s.MS) * time.Millisecond)
	s.Exact = true
}
