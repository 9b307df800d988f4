package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Config says how a device is reached.
type Config struct {
	Type    string `yaml:"type"`    // tcp, listen, udp, serial, file
	Address string `yaml:"address"` // tcp: host:port of the device; listen, udp: where we listen
	Login   Login  `yaml:"login"`   // tcp
	Serial  Serial `yaml:"serial"`  // serial
	Path    string `yaml:"path"`    // file

	// Allow lists who may send to a listener: addresses or prefixes. Empty
	// means this machine only.
	Allow []string `yaml:"allow"`
	// Tee is an address where others may connect and get a copy of every byte.
	Tee string `yaml:"tee"`

	// Refused is the least time between a refused log-in and the next: an
	// exchange may lock its user out.
	Refused time.Duration `yaml:"refused"`
}

// Login is the SMDR log-in of NS, NSX and TDE.
type Login struct {
	User         string `yaml:"user"` // "" if the device asks for nothing
	Password     string `yaml:"password"`
	PasswordFile string `yaml:"password_file"` // holds the password, instead
}

// String hides the password.
func (l Login) String() string { return l.User }

// GoString hides the password.
func (l Login) GoString() string { return l.User }

// password finds the password.
func (l Login) password() (string, error) {
	if l.PasswordFile == "" {
		return l.Password, nil
	}
	b, err := os.ReadFile(l.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// Serial is how a port is set.
type Serial struct {
	Port   string `yaml:"port"` // /dev/serial/by-id/…, COM3
	Baud   int    `yaml:"baud"`
	Bits   int    `yaml:"bits"`
	Parity string `yaml:"parity"` // none, even, odd, mark, space
	Stop   string `yaml:"stop"`   // 1, 1.5, 2
	Flow   string `yaml:"flow"`   // none, rtscts, xonxoff
}

// SetDefaults fills in what was left out: 9600 8N1, and five minutes after a
// refused log-in.
func (c *Config) SetDefaults() {
	def(&c.Refused, 5*time.Minute)
	def(&c.Serial.Baud, 9600)
	def(&c.Serial.Bits, 8)
	def(&c.Serial.Parity, "none")
	def(&c.Serial.Stop, "1")
	def(&c.Serial.Flow, "none")
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault, each named by its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch c.Type {
	case "tcp", "listen", "udp":
		if _, _, err := net.SplitHostPort(c.Address); err != nil {
			fault("address: want host:port, have %q", c.Address)
		}
	case "serial":
		if err := c.Serial.validate(); err != nil {
			faults = append(faults, err)
		}
	case "file":
		if c.Path == "" {
			fault("path: missing")
		}
	default:
		fault("type: %q is not tcp, listen, udp, serial or file", c.Type)
	}
	if c.Login.User == "" && c.Login.Password+c.Login.PasswordFile != "" {
		fault("login.user: missing")
	}
	if c.Login.Password != "" && c.Login.PasswordFile != "" {
		fault("login: give password or password_file, not both")
	}
	if c.Tee != "" {
		if _, _, err := net.SplitHostPort(c.Tee); err != nil {
			fault("tee: want host:port, have %q", c.Tee)
		}
	}
	if c.Refused < time.Second {
		fault("refused: %v is less than a second", c.Refused)
	}
	if _, err := c.allowed(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (s Serial) validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("serial."+format, args...)) }
	if s.Port == "" {
		fault("port: missing")
	}
	if s.Baud < 50 || s.Baud > 921600 {
		fault("baud: %d is not between 50 and 921600", s.Baud)
	}
	if s.Bits < 5 || s.Bits > 8 {
		fault("bits: %d is not between 5 and 8", s.Bits)
	}
	if !slices.Contains([]string{"none", "even", "odd", "mark", "space"}, s.Parity) {
		fault("parity: %q is not none, even, odd, mark or space", s.Parity)
	}
	if !slices.Contains([]string{"1", "1.5", "2"}, s.Stop) {
		fault("stop: %q is not 1, 1.5 or 2", s.Stop)
	}
	if !slices.Contains([]string{"none", "rtscts", "xonxoff"}, s.Flow) {
		fault("flow: %q is not none, rtscts or xonxoff", s.Flow)
	}
	if s.Flow != "none" && runtime.GOOS != "linux" {
		fault("flow: %s is offered on Linux only", s.Flow)
	}
	return errors.Join(faults...)
}

// allowed is Allow as prefixes.
func (c Config) allowed() ([]netip.Prefix, error) {
	if len(c.Allow) == 0 {
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, nil
	}
	var out []netip.Prefix
	for _, a := range c.Allow {
		if !strings.Contains(a, "/") {
			addr, err := netip.ParseAddr(a)
			if err != nil {
				return nil, fmt.Errorf("allow: %q is no address", a)
			}
			a = fmt.Sprintf("%s/%d", a, addr.BitLen())
		}
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return nil, fmt.Errorf("allow: %q is no prefix", a)
		}
		out = append(out, p)
	}
	return out, nil
}

// SevenBits reports whether the eighth bit of what comes means nothing.
func (c Config) SevenBits() bool { return c.Type == "serial" && c.Serial.Bits == 7 }

// Replays reports whether a new connection may bring again what an earlier one
// brought.
func (c Config) Replays() bool { return c.Type == "tcp" || c.Type == "listen" }
