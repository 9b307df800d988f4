package main

import (
	"context"
	"os"
	"strings"

	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

const serviceName = "markaz-legacy"

// asService runs the program under the service manager of Windows, if it was
// that which started it, and reports whether it was. What it says goes to the
// event log.
func asService(run func(context.Context, []string, console) int) bool {
	is, err := svc.IsWindowsService()
	if err != nil || !is {
		return false
	}
	con := console{strings.NewReader(""), events{}, events{}}
	if log, err := eventlog.Open(serviceName); err == nil {
		con.out, con.err = events{log}, events{log}
		defer log.Close()
	}
	if err := svc.Run(serviceName, service{run, con}); err != nil {
		os.Exit(exitFailure)
	}
	return true
}

// events writes to the event log, as far as there is one.
type events struct{ log *eventlog.Log }

func (e events) Write(b []byte) (int, error) {
	if e.log != nil {
		_ = e.log.Info(1, string(b)) // there is nowhere else to say it
	}
	return len(b), nil
}

// service is the program as the service manager sees it.
type service struct {
	run func(context.Context, []string, console) int
	con console
}

// Execute implements svc.Handler.
func (s service) Execute(_ []string, asked <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan int, 1)
	go func() { ended <- s.run(ctx, os.Args[1:], s.con) }()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	for {
		select {
		case code := <-ended:
			return code != exitOK, uint32(code)
		case r := <-asked:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				cancel()
			}
		}
	}
}
