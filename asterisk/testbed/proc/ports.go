package proc

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Ports are taken from below the range that Linux hands out by itself, so that
// a server which is stopped and started again finds its port still free.
const (
	firstPort = 10000
	lastPort  = 32000
)

// Ports is a row of port numbers that no other test, here or in another
// process, is given while we hold it.
type Ports struct {
	First, Count int
	lock         *os.File
	once         sync.Once
}

// ErrNoPorts says that no row of the wanted length is free.
var ErrNoPorts = errors.New("no free ports")

// ReservePorts reserves count ports in a row on 127.0.0.1, TCP and UDP. Each
// reservation is a lock on the bytes of that number in one shared file; the
// kernel gives it back when we die.
func ReservePorts(count int) (*Ports, error) {
	file, err := openLock(filepath.Join(os.TempDir(), "markaz-ports.lock"))
	if err != nil {
		return nil, fmt.Errorf("reserve ports: %w", err)
	}
	for first := firstPort; first+count <= lastPort; first += count {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(first), Len: int64(count)}
		if unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock) != nil {
			continue
		}
		if allFree(first, count) {
			return &Ports{First: first, Count: count, lock: file}, nil
		}
		lock.Type = unix.F_UNLCK
		if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
			break
		}
	}
	_ = file.Close()
	return nil, fmt.Errorf("reserve %d ports: %w", count, ErrNoPorts)
}

// openLock opens the file for every user. It must not say "create" when the
// file is there, which Linux forbids for files of others in a shared folder
// (fs.protected_regular).
func openLock(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	if file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	return file, file.Chmod(0o666) // whatever the umask
}

// Release gives the ports back.
func (p *Ports) Release() { p.once.Do(func() { _ = p.lock.Close() }) }

// Addr is 127.0.0.1 with the i-th port.
func (p *Ports) Addr(i int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.First+i))
}

func allFree(first, count int) bool {
	for port := first; port < first+count; port++ {
		tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return false
		}
		_ = tcp.Close()
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return false
		}
		_ = udp.Close()
	}
	return true
}
