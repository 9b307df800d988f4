package link

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// flow sets what the serial library does not offer. The settings belong to the
// port, not to whoever has it open, so they are made through a descriptor of
// our own; it must be opened first, for the library locks the port.
type flow struct {
	kind string
	fd   int
}

func prepareFlow(s Serial) (*flow, error) {
	if s.Flow == "none" || s.Flow == "" {
		return &flow{fd: -1}, nil
	}
	fd, err := unix.Open(s.Port, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Port, err)
	}
	return &flow{kind: s.Flow, fd: fd}, nil
}

func (f *flow) apply() error {
	if f.fd < 0 {
		return nil
	}
	t, err := unix.IoctlGetTermios(f.fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("flow control: %w", err)
	}
	switch f.kind {
	case "rtscts":
		t.Cflag |= unix.CRTSCTS
	case "xonxoff":
		t.Iflag |= unix.IXON | unix.IXOFF
	}
	if err := unix.IoctlSetTermios(f.fd, unix.TCSETS, t); err != nil {
		return fmt.Errorf("flow control: %w", err)
	}
	return nil
}

func (f *flow) close() {
	if f.fd >= 0 {
		unix.Close(f.fd)
	}
}
