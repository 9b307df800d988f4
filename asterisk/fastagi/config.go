package fastagi

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Config says where calls are taken from and how long to be patient. Whoever
// can connect could pose as the PBX, and whoever answers in our place commands
// it, so nothing but loopback is served unless Peers says so.
type Config struct {
	Listen string   `yaml:"listen"` // address and port
	Peers  []string `yaml:"peers"`  // addresses or networks (10.1.2.0/24) that may connect
	Token  string   `yaml:"token"`  // if set, the AGI address must end in ?k=token

	Header  time.Duration `yaml:"header"`  // for the whole header to arrive
	Reply   time.Duration `yaml:"reply"`   // for the answer to a command, beyond what the command itself takes
	Session time.Duration `yaml:"session"` // for a whole session
	Drain   time.Duration `yaml:"drain"`   // for running sessions to end by themselves at shutdown

	MaxSessions   int `yaml:"max_sessions"`    // at once
	MaxPerAddress int `yaml:"max_per_address"` // at once from one address
	MaxWaiting    int `yaml:"max_waiting"`     // connections that have not sent their header yet; the oldest gives way
}

// DefaultConfig serves an Asterisk on the same machine.
func DefaultConfig() Config {
	return Config{
		Listen:        "127.0.0.1:4573",
		Peers:         []string{"127.0.0.0/8", "::1"},
		Header:        2 * time.Second,
		Reply:         5 * time.Second,
		Session:       2 * time.Hour,
		Drain:         25 * time.Second,
		MaxSessions:   4000,
		MaxPerAddress: 4000,
		MaxWaiting:    4000,
	}
}

// Validate reports every fault at once, each under its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		fault("listen: %w", err)
	}
	if _, err := parsePeers(c.Peers); err != nil {
		fault("peers: %w", err)
	}
	if len(c.Peers) == 0 {
		fault("peers: nobody may connect")
	}
	for key, d := range map[string]time.Duration{"header": c.Header, "reply": c.Reply, "session": c.Session} {
		if d < 100*time.Millisecond {
			fault("%s: want at least 100ms, have %v", key, d)
		}
	}
	if c.Drain < 0 {
		fault("drain: is negative")
	}
	for key, n := range map[string]int{"max_sessions": c.MaxSessions, "max_per_address": c.MaxPerAddress, "max_waiting": c.MaxWaiting} {
		if n < 1 {
			fault("%s: want at least 1, have %d", key, n)
		}
	}
	return errors.Join(faults...)
}

func parsePeers(peers []string) ([]netip.Prefix, error) {
	nets := make([]netip.Prefix, 0, len(peers))
	for _, s := range peers {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, errAddr := netip.ParseAddr(s)
			if errAddr != nil {
				return nil, fmt.Errorf("read address %q: %w", s, errAddr)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		nets = append(nets, p.Masked())
	}
	return nets, nil
}
