package testbed

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Pty makes a pair of pseudo-terminals: what is written to the device's end
// can be read from the port of that name, as from a serial adapter. Closing
// the device's end is pulling the adapter out.
func Pty() (device *os.File, port string, err error) {
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, "", fmt.Errorf("open pseudo-terminal: %w", err)
	}
	fd := int(f.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		f.Close()
		return nil, "", fmt.Errorf("unlock pseudo-terminal: %w", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("name pseudo-terminal: %w", err)
	}
	return f, fmt.Sprintf("/dev/pts/%d", n), nil
}
