// Command fakepbx is an exchange for trying the legacy sidecar: it makes up
// the calls of an office as they would happen now, and prints their records
// over TCP to whoever logs in, as KX-NS and its kin do. It is no part of the
// product.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strings"
	"time"

	"markaz/legacy/testbed"
)

func main() {
	if err := run(); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fakepbx:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:2300", "`address` to print at")
	user := flag.String("user", "SMDR", "user that may log in")
	password := flag.String("password", "PCCSMDR", "his password")
	end := flag.String("end", "crlf", "line end: cr, lf or crlf")
	pattern := flag.String("pattern", "A", "column pattern: A, B or C")
	page := flag.Int("page", 60, "lines of a page, 0 for no titles")
	rate := flag.Float64("rate", 4, "calls a minute")
	trunks := flag.Int("trunks", 8, "outside lines")
	extensions := flag.Int("extensions", 20, "extensions, from 201")
	zone := flag.String("zone", "Local", "time zone of the exchange's clock")
	seed := flag.Uint64("seed", 1, "seed of what is made up")
	past := flag.Duration("past", 0, "begin this long ago: what has happened since is in the buffer")
	flag.Parse()

	ends := map[string]string{"cr": "\r", "lf": "\n", "crlf": "\r\n"}
	loc, err := time.LoadLocation(*zone)
	if err != nil {
		return fmt.Errorf("read zone: %w", err)
	}
	if ends[*end] == "" || !strings.Contains("ABC", *pattern) || len(*pattern) != 1 {
		return errors.New("want -end cr, lf or crlf and -pattern A, B or C")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println("printing at", ln.Addr())
	pbx := testbed.NewPBX(testbed.Options{User: *user, Password: *password, End: ends[*end], Page: *page, Repeat: 5, LockOut: time.Minute})
	office := &testbed.Office{
		Trunks: *trunks, Extensions: *extensions, Pattern: (*pattern)[0], Rings: true, Answers: true, PerMinute: *rate,
		Start: time.Now().In(loc).Add(-*past), Chance: rand.New(rand.NewPCG(*seed, 0)),
	}
	go happen(ctx, pbx, office)
	return pbx.Serve(ctx, ln)
}

// happen prints every record at its time, an hour of calls after the other.
func happen(ctx context.Context, pbx *testbed.PBX, office *testbed.Office) {
	for ctx.Err() == nil {
		_, lines := office.Calls(max(1, int(office.PerMinute*60)))
		for _, l := range lines {
			select {
			case <-time.After(time.Until(l.At)):
				pbx.Print(l.Text)
			case <-ctx.Done():
				return
			}
		}
		office.Start = lines[len(lines)-1].At
	}
}
