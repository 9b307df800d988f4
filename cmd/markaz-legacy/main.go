// Command markaz-legacy is the sidecar that brings old exchanges and line
// monitors into the call stream.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"markaz/operator"
)

// version is set by the linker; a build from a plain checkout says so.
var version = "development"

const (
	exitOK          = operator.OK
	exitFailure     = operator.Failure
	exitConfig      = operator.Usage
	exitUnreachable = operator.Unreachable // a device or Redis
	exitRefused     = operator.Refused     // by a device
)

func exit(code int, format string, args ...any) error { return operator.Exit(code, format, args...) }

// cli is the whole command line.
type cli struct {
	Config string `short:"c" help:"Configuration file." default:"/etc/markaz/legacy.yaml" env:"MARKAZ_LEGACY_CONFIG" type:"path"`

	Run     runCmd     `cmd:"" help:"Receive from the devices until SIGTERM."`
	Check   checkCmd   `cmd:"" help:"Check the configuration."`
	Test    testCmd    `cmd:"" help:"Say in plain words how a source stands."`
	Raw     rawCmd     `cmd:"" help:"Show what a source sends, beside what is understood."`
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
	if asService(run) {
		return
	}
	os.Exit(run(context.Background(), os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr}))
}

func run(ctx context.Context, args []string, con console) int {
	return operator.Program{
		Name: "markaz-legacy", Description: "Old exchanges and line monitors into the call stream of Markaz.",
		Commands: &cli{}, Out: con.out, Err: con.err, Bind: []any{con},
	}.Run(ctx, args)
}

type versionCmd struct{}

// Run shows the version.
func (versionCmd) Run(con console) error {
	fmt.Fprintln(con.out, "markaz-legacy", version)
	return nil
}
