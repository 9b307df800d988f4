package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"
)

// Program is a program with commands.
type Program struct {
	Name        string
	Description string
	Commands    any // pointer to kong's structure of commands
	Out, Err    io.Writer
	Bind        []any // what commands' Run methods may ask for, beside a context
}

// Run runs the command that args name and returns the exit code. The command's
// context ends with ctx, and at the first SIGTERM or SIGINT; the second ends
// the process.
func (p Program) Run(ctx context.Context, args []string) int {
	ctx, stop := p.stopOnSignal(ctx)
	defer stop()
	code := -1
	parser, err := kong.New(p.Commands,
		kong.Name(p.Name),
		kong.Description(p.Description),
		kong.Writers(p.Out, p.Err),
		kong.Exit(func(n int) { code = n }),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p.Bind...),
	)
	if err != nil {
		return report(p.Err, p.Name, err)
	}
	command, err := parser.Parse(args)
	if code >= 0 { // --help has been answered
		return code
	}
	if err != nil {
		help := p.Name + " --help shows the commands"
		if parse := (*kong.ParseError)(nil); errors.As(err, &parse) {
			if at := parse.Context.Selected(); at != nil && slices.Contains(args, at.Name) {
				help = at.FullPath() + " --help tells more"
			}
		}
		fmt.Fprintf(p.Err, "%s: %v (%s)\n", p.Name, err, help)
		return Usage
	}
	return report(p.Err, p.Name, command.Run(p.Commands))
}

func (p Program) stopOnSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
			return
		}
		<-signals
		fmt.Fprintf(p.Err, "%s: stopped by a second signal\n", p.Name)
		os.Exit(Failure)
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}
