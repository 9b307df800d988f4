package fastagi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// What a command can fail with. After ErrHangup, ErrTimeout, ErrProtocol and
// ErrClosed the session is over and every further command fails the same way;
// after the others it goes on.
var (
	ErrHangup   = errors.New("caller hung up")             // the channel is gone: connection closed by Asterisk, or the channel is dead (511)
	ErrTimeout  = errors.New("no answer from Asterisk")    // within Config.Reply or Config.Session
	ErrProtocol = errors.New("answer makes no sense")      // not AGI, or not the answer to our command
	ErrClosed   = errors.New("session closed by us")       // the server shuts down
	ErrFailed   = errors.New("command failed")             // result -1, and the channel lives
	ErrNoApp    = errors.New("no such application")        // result -2 of Exec
	ErrUsage    = errors.New("wrong usage of the command") // 520
	ErrInvalid  = errors.New("unknown command")            // 510
	ErrArgument = errors.New("argument cannot be sent")    // refused by us, nothing was sent
)

// broken turns an error of the connection into one of ours.
func broken(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrProtocol), errors.Is(err, ErrTimeout):
		return err
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrHangup
	}
	return fmt.Errorf("talk to Asterisk: %w", err)
}
