// Command markaz is the contact-centre application server for Asterisk.
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
	exitUnreachable = operator.Unreachable // Asterisk or Redis
	exitRefused     = operator.Refused
)

func exit(code int, format string, args ...any) error { return operator.Exit(code, format, args...) }

// cli is the whole command line.
type cli struct {
	Config string `short:"c" help:"Configuration file." default:"/etc/markaz/markaz.yaml" env:"MARKAZ_CONFIG" type:"path"`

	Serve      serveCmd      `cmd:"" default:"withargs" help:"Serve calls until SIGTERM."`
	Check      checkCmd      `cmd:"" help:"Check the configuration: faults, dead ends, missing prompts."`
	Calls      callsCmd      `cmd:"" help:"Show call records, finished and live."`
	Events     eventsCmd     `cmd:"" help:"Show the events of the stream."`
	Explain    explainCmd    `cmd:"" help:"Say why the record of a call is what it is, and which events made it so."`
	Replay     replayCmd     `cmd:"" help:"Fold the events of calls again and show which records change."`
	Report     reportCmd     `cmd:"" help:"Count calls by hour, day, month, queue, agent or line."`
	Spy        spyCmd        `cmd:"" help:"Listen to a call, whisper, barge in, take over, or end that."`
	Dial       dialCmd       `cmd:"" help:"Call a number: a phone rings first, then the number is dialled."`
	Hangup     hangupCmd     `cmd:"" help:"End a call, or one party of it."`
	Deliveries deliveriesCmd `cmd:"" help:"Show, replay or drop what could not be delivered to a CRM."`
	CRM        crmCmd        `cmd:"" name:"crm" help:"Try a CRM connection."`
	User       userCmd       `cmd:"" help:"Users that log in: add, list, change, remove."`
	Token      tokenCmd      `cmd:"" help:"Tokens of programs and big screens: add, list, revoke."`
	Audit      auditCmd      `cmd:"" help:"Show and verify the record of who did what."`
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
	return operator.Program{
		Name: "markaz", Description: "Contact-centre application server for Asterisk.",
		Commands: &cli{}, Out: con.out, Err: con.err, Bind: []any{con},
	}.Run(context.Background(), args)
}

type versionCmd struct{}

// Run shows the version.
func (versionCmd) Run(con console) error {
	_, err := fmt.Fprintln(con.out, "markaz", version)
	return err
}
