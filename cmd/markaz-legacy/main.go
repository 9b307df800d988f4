// Command markaz-legacy is the sidecar that brings old exchanges and line
// monitors into the call stream.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker; a build from a plain checkout says so.
var version = "development"

// Exit codes, as the manual states them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitConfig      = 2 // wrong usage or configuration
	exitUnreachable = 3 // a device or Redis cannot be reached
	exitRefused     = 4 // a log-in was refused
)

// exitError carries the exit code of a failure to main.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exit(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// cli is the whole command line.
type cli struct {
	Config string `short:"c" help:"Configuration file." default:"/etc/markaz/legacy.yaml" env:"MARKAZ_LEGACY_CONFIG" type:"path"`

	Run     runCmd     `cmd:"" help:"Receive from the devices until SIGTERM."`
	Check   checkCmd   `cmd:"" help:"Check the configuration."`
	Test    testCmd    `cmd:"" help:"Say in plain words how a source of the running sidecar stands."`
	Raw     rawCmd     `cmd:"" help:"Show what a source of the running sidecar sends, beside what is understood."`
	Parse   parseCmd   `cmd:"" help:"Read bytes of a device from standard input, print one JSON object a record."`
	Import  importCmd  `cmd:"" help:"Take old logs. What is known already is left out."`
	Profile profileCmd `cmd:"" help:"Profiles of line monitors."`
	Version versionCmd `cmd:"" help:"Show the version."`
}

// console is where commands talk: data comes from in and goes to out, talk
// goes to err.
type console struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, con console) int {
	var c cli
	code := -1
	parser, err := kong.New(&c,
		kong.Name("markaz-legacy"),
		kong.Description("Old exchanges and line monitors into the call stream of Markaz."),
		kong.Writers(con.out, con.err),
		kong.Exit(func(n int) { code = n }),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(con),
	)
	if err != nil {
		fmt.Fprintln(con.err, "markaz-legacy:", err)
		return exitFailure
	}
	cmd, err := parser.Parse(args)
	switch {
	case code >= 0:
		return code // help was shown
	case err != nil:
		fmt.Fprintln(con.err, "markaz-legacy:", err)
		return exitConfig
	}
	return report(con, cmd.Run(&c))
}

func report(con console, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(con.err, "markaz-legacy:", err)
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitFailure
}

type versionCmd struct{}

// Run shows the version.
func (versionCmd) Run(con console) error {
	fmt.Fprintln(con.out, "markaz-legacy", version)
	return nil
}
