// Command markaz is the contact-centre application server for Asterisk.
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
	exitUnreachable = 3 // Asterisk or Redis cannot be reached
	exitRefused     = 4 // wrong password or missing rights
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
	Config string `short:"c" help:"Configuration file." default:"/etc/markaz/markaz.yaml" env:"MARKAZ_CONFIG" type:"path"`

	Serve      serveCmd      `cmd:"" default:"withargs" help:"Serve calls until SIGTERM."`
	Check      checkCmd      `cmd:"" help:"Check the configuration: faults, dead ends, missing prompts."`
	Calls      callsCmd      `cmd:"" help:"Show call records, finished and live."`
	Events     eventsCmd     `cmd:"" help:"Show the events of the stream."`
	Deliveries deliveriesCmd `cmd:"" help:"Show, replay or drop what could not be delivered to a CRM."`
	CRM        crmCmd        `cmd:"" name:"crm" help:"Try a CRM connection."`
	Dialplan   dialplanCmd   `cmd:"" help:"Print or install the dialplan file."`
	Doctor     doctorCmd     `cmd:"" help:"Look for what would keep calls from working, and say how to mend it."`
	Version    versionCmd    `cmd:"" help:"Show the version."`
}

// console is where commands talk: data goes to out, talk to err.
type console struct {
	out, err io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], console{os.Stdout, os.Stderr}))
}

func run(args []string, con console) int {
	ctx, stop := stopOnSignal(context.Background(), con.err)
	defer stop()
	var c cli
	code := -1
	parser, err := kong.New(&c,
		kong.Name("markaz"),
		kong.Description("Contact-centre application server for Asterisk."),
		kong.Writers(con.out, con.err),
		kong.Exit(func(n int) { code = n }),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(con),
	)
	if err != nil {
		fmt.Fprintln(con.err, "markaz:", err)
		return exitFailure
	}
	command, err := parser.Parse(args)
	if code >= 0 { // --help has been answered
		return code
	}
	if err != nil {
		fmt.Fprintf(con.err, "markaz: %v (markaz --help shows the commands)\n", err)
		return exitConfig
	}
	return report(con.err, command.Run(&c))
}

// report says an error in one line for each fault and gives its exit code.
func report(w io.Writer, err error) int {
	var coded *exitError
	var config *faults
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &config):
		fmt.Fprintln(w, config.Error())
		return exitConfig
	case errors.As(err, &coded):
		fmt.Fprintln(w, "markaz:", coded.Error())
		return coded.code
	}
	fmt.Fprintln(w, "markaz:", err)
	return exitFailure
}

// stopOnSignal ends the context at the first SIGTERM or SIGINT, which starts
// a drain, and the process at the second.
func stopOnSignal(ctx context.Context, w io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
			return
		}
		<-signals
		fmt.Fprintln(w, "markaz: stopped by a second signal")
		os.Exit(exitFailure)
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

type versionCmd struct{}

// Run shows the version.
func (versionCmd) Run(con console) error {
	_, err := fmt.Fprintln(con.out, "markaz", version)
	return err
}
