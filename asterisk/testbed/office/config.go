package office

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"markaz/asterisk/testbed"
)

// config is the office's configuration file: the usual sections, replaced or
// joined by those of the options.
func (o *Office) config() string {
	sections := map[string]string{
		"data_dir": o.opt.Dir,
		"log":      "{level: debug, format: text}",
		"http":     fmt.Sprintf("{listen: %q, token: %q}", o.ports.Addr(0), Token),
		"asterisk": fmt.Sprintf("\n  source: pbx\n  sounds: %q\n  lease: %s\n  ari: {url: %q, username: %q, password: %q}\n  agi: {listen: %q}\n  observe: %s",
			o.Bed.SoundsDir(), cmp.Or(o.opt.Lease, 10*time.Second), o.Bed.ARIURL(), testbed.ARIUser, testbed.ARIPassword, o.ports.Addr(1), cmp.Or(o.opt.Observe, "{}")),
		"dialplan": fmt.Sprintf("{fallback: %q, digits: [3]}", cmp.Or(o.opt.Fallback, "extension:109")),
		"stream":   fmt.Sprintf("{redis: {addr: %q}}", o.Redis.Addr()),
		"inbound":  "{trunk: trunk}",
	}
	maps.Copy(sections, o.opt.Sections)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(sections)) {
		if sections[key] != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, sections[key])
		}
	}
	return b.String()
}
