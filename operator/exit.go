package operator

import (
	"errors"
	"fmt"
	"io"
)

// Exit codes, as the manuals state them.
const (
	OK          = 0
	Failure     = 1
	Usage       = 2 // wrong usage or configuration
	Unreachable = 3 // a PBX, a device or Redis cannot be reached
	Refused     = 4 // wrong password or missing rights
)

// exitError carries an exit code to main.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Exit is an error that ends the program with a code.
func Exit(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// report says an error, in one line for each fault, and gives its exit code.
func report(w io.Writer, name string, err error) int {
	var coded *exitError
	var config *Faults
	switch {
	case err == nil:
		return OK
	case errors.As(err, &config):
		fmt.Fprintln(w, config.Error())
		return Usage
	case errors.As(err, &coded):
		fmt.Fprintf(w, "%s: %v\n", name, coded)
		return coded.code
	}
	fmt.Fprintf(w, "%s: %v\n", name, err)
	return Failure
}
