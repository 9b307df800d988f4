// Command markaz-demo is a small office that calls itself: a real Asterisk, a
// real Redis and Markaz, agents at SIP phones, and callers who walk the menu,
// wait, talk and hang up. It prints what happens as it happens, then the call
// records, and leaves everything running until Ctrl-C.
//
// DEMO_SECONDS=60 ends it by itself; the exit code says whether every call
// went as it should.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	limited, cancel, err := limit(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find myself: %w", err)
	}
	d, err := open(limited, filepath.Join(filepath.Dir(self), "markaz"))
	if err != nil {
		return err
	}
	err = d.show(limited)
	if err == nil {
		d.goOn(limited)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // Ctrl-C in the middle of a call is no failure
	}
	return errors.Join(err, d.Close())
}

// limit reads DEMO_SECONDS.
func limit(ctx context.Context) (context.Context, context.CancelFunc, error) {
	text := os.Getenv("DEMO_SECONDS")
	if text == "" {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 30 || n > 86400 {
		return nil, nil, fmt.Errorf("DEMO_SECONDS=%s: want 30 to 86400", text)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(n)*time.Second)
	return ctx, cancel, nil
}
