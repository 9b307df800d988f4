// Command conformance runs the servers that Markaz's CRM connectors are tested
// against: each stands in for one CRM, enforces the rules that its vendor has
// published, and can be made to fail. Whoever writes or tries a connector can
// use it alone:
//
//	go run ./apps/crm/conformance --listen 127.0.0.1:8070
//
// It prints the settings to put under crm: in Markaz's configuration. Below
// the path of each server, holds (GET) lists what it has been told, and faults
// takes the way to fail as JSON: POST for the next request, PUT for all until
// further notice, such as {"status":500,"work":true}.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"markaz/apps/crm/conformance/bitrix24"
	"markaz/apps/crm/conformance/opencrm"
	"markaz/apps/crm/conformance/payamgostar"
	"markaz/apps/crm/fault"
	"markaz/apps/crm/hooktest"
)

// secret signs web hooks to this program; it protects nothing.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

const settings = `crm:
  - name: hook
    webhook: {url: "http://%[1]s/hook", secrets: [%[2]s], allow_private: true}
  - name: bitrix24
    bitrix24: {url: "http://%[1]s/bitrix24", webhook: 1/hookcode, default_user: 1, allow_private: true}
  - name: payamgostar
    payamgostar: {url: "http://%[1]s/payamgostar", username: markaz, password: secret, ts_key: office, allow_private: true}
  - name: opencrm
    opencrm: {url: "http://%[1]s/opencrm", username: markaz, password: secret, ts_key: office, allow_private: true}
`

func main() {
	listen := flag.String("listen", "127.0.0.1:8070", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, address string, out io.Writer) error {
	handler, err := servers()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintf(out, settings, l.Addr(), secret)
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		_ = srv.Close() // nothing here needs to be finished
	})()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	<-stopped
	return nil
}

// server is a stand-in with what can be asked of it.
type server struct {
	http.Handler
	script *fault.Script
	holds  func() any
}

func servers() (http.Handler, error) {
	hook, err := hooktest.New(secret)
	if err != nil {
		return nil, err
	}
	known := map[string]string{"09121234567": "Sara Ahmadi"}
	portal := bitrix24.New(bitrix24.Options{
		Hook: "1/hookcode", ClientID: "local.app", ClientSecret: "secret",
		Users:  []bitrix24.User{{ID: 1}, {ID: 101, Extension: "101"}, {ID: 102, Extension: "102"}, {ID: 103, Extension: "103"}},
		People: []bitrix24.Person{{Type: "CONTACT", ID: 1, Name: known["09121234567"], Number: "09121234567"}},
	})
	pg := payamgostar.New(payamgostar.Options{Username: "markaz", Password: "secret", Key: "office", LearnPeers: true, Identities: known})
	oc := opencrm.New(opencrm.Options{Username: "markaz", Password: "secret", Key: "office", Identities: known})
	mux := http.NewServeMux()
	for path, s := range map[string]server{
		"/hook": {hook, hook.Script(), func() any {
			return map[string]any{"events": hook.Events(), "repeats": hook.Repeats(), "broken": hook.Broken()}
		}},
		"/bitrix24":    {portal, portal.Script(), func() any { return portal.Rows() }},
		"/payamgostar": {pg, pg.Script(), func() any { return pg.Calls() }},
		"/opencrm":     {oc, oc.Script(), func() any { return oc.Calls() }},
	} {
		own := http.StripPrefix(path, s)
		mux.Handle(path, own)
		mux.Handle(path+"/", own)
		mux.Handle(path+"/faults", s.script)
		mux.HandleFunc("GET "+path+"/holds", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			_ = enc.Encode(s.holds()) // the asker has gone
		})
	}
	return mux, nil
}
