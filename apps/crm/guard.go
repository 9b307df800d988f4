package crm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// errForbidden is wrapped by the refusal to talk to an address.
var errForbidden = errors.New("address is private: set allow_private, or list the host in allow_hosts")

// guard makes connections for sinks. It looks a name up once, refuses the
// addresses of our own machine and network, and connects to the very address
// that it has checked, so that a name cannot point elsewhere in between.
type guard struct {
	anyPrivate bool
	hosts      []string // lower case; may be private
	lookup     func(ctx context.Context, network, host string) ([]netip.Addr, error)
	dial       func(ctx context.Context, network, address string) (net.Conn, error)
}

func newGuard(n Net) *guard {
	g := &guard{
		anyPrivate: n.AllowPrivate,
		lookup:     net.DefaultResolver.LookupNetIP,
		dial:       (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
	}
	for _, h := range n.AllowHosts {
		g.hosts = append(g.hosts, strings.ToLower(h))
	}
	return g
}

// allowed reports whether the host may have a private address.
func (g *guard) allowed(host string) bool {
	return g.anyPrivate || slices.Contains(g.hosts, strings.ToLower(host))
}

// DialContext connects to one of the allowed addresses of host:port.
func (g *guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	addrs, err := g.lookup(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("look %s up: %w", host, err)
	}
	var failures []error
	for _, a := range addrs {
		if forbidden(a) && !g.allowed(host) {
			failures = append(failures, fmt.Errorf("connect to %s (%s): %w", host, a, errForbidden))
			continue
		}
		conn, err := g.dial(ctx, network, net.JoinHostPort(a.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, fmt.Errorf("connect to %s: %w", host, err))
	}
	if len(failures) == 0 {
		return nil, fmt.Errorf("look %s up: no address", host)
	}
	return nil, errors.Join(failures...)
}

// forbidden reports addresses that are not those of a machine on the public
// Internet: the special-purpose registries of RFC 6890 with their later
// entries, multicast, and IPv6 forms that carry such an IPv4 address.
func forbidden(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if a.Is6() {
		if v4, ok := embedded(a); ok {
			return forbidden(v4)
		}
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return true
	}
	for _, p := range special() {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func special() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// embedded gives the IPv4 address within a NAT64 (RFC 6052) or 6to4 (RFC 3056)
// address.
func embedded(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}
