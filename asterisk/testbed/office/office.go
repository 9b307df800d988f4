// Package office is a whole office for the demo and for end-to-end tests: a
// real Asterisk, a real Redis, and Markaz itself as a process of its own that
// can be killed, frozen and started again. It knows Markaz as its users do: by
// its configuration file, its command line and its web port.
package office

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/proc"
	"markaz/asterisk/testbed/redisbed"
	"markaz/call"
)

// Options of an office.
type Options struct {
	Binary   string            // path of the markaz program
	Bed      testbed.Options   // more for Asterisk; the dialplan is ours
	Redis    redisbed.Options  //
	Sections map[string]string // parts of the configuration by key, in YAML, instead of or beside the usual ones
	Observe  string            // asterisk.observe, in YAML; "" for none
	Fallback string            // see dialplan.Options; default extension:109
	Lease    time.Duration     // default 10 s
	Dir      string            // data, log and configuration; default a temporary folder

	Prepare func(*testbed.Asterisk) error // before Markaz begins: sounds, for instance
}

// Office is a running office.
type Office struct {
	Bed    *testbed.Asterisk
	Redis  *redisbed.Redis
	opt    Options
	ports  *proc.Ports
	log    *os.File
	markaz *proc.Process
	ownDir bool
	guest  bool // in the office of another
}

// Token is what the office's web interface wants.
const Token = "office-token"

// Start starts everything and waits until Markaz is ready for calls.
func Start(ctx context.Context, opt Options) (o *Office, err error) {
	o = &Office{opt: opt}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if o.opt.Dir == "" {
		if o.opt.Dir, err = os.MkdirTemp("", "markaz-office-"); err != nil {
			return o, fmt.Errorf("make office folder: %w", err)
		}
		o.ownDir = true
	}
	if o.ports, err = proc.ReservePorts(4); err != nil {
		return o, err
	}
	if o.Redis, err = redisbed.Start(ctx, opt.Redis); err != nil {
		return o, err
	}
	if err := o.startAsterisk(ctx); err != nil {
		return o, err
	}
	if err := o.openLog(); err != nil {
		return o, err
	}
	if opt.Prepare != nil {
		if err := opt.Prepare(o.Bed); err != nil {
			return o, err
		}
	}
	if err := o.Begin(); err != nil {
		return o, err
	}
	return o, o.WaitReady(ctx)
}

// Twin is a second Markaz on the same Asterisk and Redis, with a folder and
// ports of its own. Begin starts it; its Close leaves the office alone.
func (o *Office) Twin() (twin *Office, err error) {
	twin = &Office{Bed: o.Bed, Redis: o.Redis, opt: o.opt, guest: true}
	defer func() {
		if err != nil {
			err = errors.Join(err, twin.Close())
		}
	}()
	if twin.opt.Dir, err = os.MkdirTemp("", "markaz-office-"); err != nil {
		return twin, fmt.Errorf("make office folder: %w", err)
	}
	twin.ownDir = true
	if twin.ports, err = proc.ReservePorts(4); err != nil {
		return twin, err
	}
	if err := os.WriteFile(twin.ConfigFile(), []byte(twin.config()), 0o600); err != nil {
		return twin, fmt.Errorf("write configuration: %w", err)
	}
	return twin, twin.openLog()
}

func (o *Office) openLog() (err error) {
	if o.log, err = os.OpenFile(o.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	return nil
}

// startAsterisk starts Asterisk and gives it the dialplan that Markaz installs
// for this office.
func (o *Office) startAsterisk(ctx context.Context) (err error) {
	bed := o.opt.Bed
	bed.Files = map[string]string{"extensions.conf": "#include markaz.conf\n", "markaz.conf": ""}
	for name, text := range o.opt.Bed.Files {
		bed.Files[name] = text
	}
	bed.Share = append(bed.Share, o.opt.Dir)
	bed.Modules = append(bed.Modules, "chan_bridge_media") // the recorder of a bridge
	if o.Bed, err = testbed.Start(ctx, bed); err != nil {
		return err
	}
	if err := os.WriteFile(o.ConfigFile(), []byte(o.config()), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	out, err := o.Command(ctx, "dialplan", "install", "--dir", o.Bed.ConfigDir())
	if err != nil {
		return fmt.Errorf("install dialplan: %w\n%s", err, out)
	}
	if out, err := o.Bed.CLI(ctx, "dialplan reload"); err != nil {
		return fmt.Errorf("load dialplan: %w\n%s", err, out)
	}
	return nil
}

// Binary is the markaz program.
func (o *Office) Binary() string { return o.opt.Binary }

// ConfigFile is Markaz' configuration.
func (o *Office) ConfigFile() string { return filepath.Join(o.opt.Dir, "markaz.yaml") }

// LogFile is what Markaz says.
func (o *Office) LogFile() string { return filepath.Join(o.opt.Dir, "markaz.log") }

// Log is what Markaz has said.
func (o *Office) Log() string {
	text, err := os.ReadFile(o.LogFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Dir is where Markaz keeps its data.
func (o *Office) Dir() string { return o.opt.Dir }

// Web is the address of Markaz' web port.
func (o *Office) Web() string { return "http://" + o.ports.Addr(0) }

// AGI is where Markaz takes FastAGI connections.
func (o *Office) AGI() string { return o.ports.Addr(1) }

// Begin starts Markaz, or starts it again after Kill or End. It does not wait.
func (o *Office) Begin() error {
	cmd := exec.Command(o.opt.Binary, "serve", "--config", o.ConfigFile(), "--drain", "5s")
	cmd.Stdout, cmd.Stderr = o.log, o.log
	p, err := proc.Start(cmd)
	if err != nil {
		return fmt.Errorf("start markaz: %w", err)
	}
	o.markaz = p
	return nil
}

// Markaz is the running process; after Begin it is another one.
func (o *Office) Markaz() *proc.Process { return o.markaz }

// WaitReady waits until Markaz says that it serves calls.
func (o *Office) WaitReady(ctx context.Context) error {
	for {
		last := o.ready(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-o.markaz.Done():
			return fmt.Errorf("markaz ended: %s", tail(o.Log(), 15))
		case <-ctx.Done():
			return fmt.Errorf("markaz is not ready: %w: %s", last, tail(o.Log(), 15))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (o *Office) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Web()+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var text bytes.Buffer
	_, _ = text.ReadFrom(res.Body)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", res.Status, text.String())
	}
	return nil
}

// Command runs a command of Markaz with the office's configuration and returns
// what it prints.
func (o *Office) Command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, o.opt.Binary, append(args, "--config", o.ConfigFile())...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("markaz %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// Calls returns the call records, as `markaz calls --json` shows them.
func (o *Office) Calls(ctx context.Context) ([]call.Call, error) {
	return lines[call.Call](o, ctx, "calls", "--json")
}

// Events returns the events, as `markaz events --json` shows them.
func (o *Office) Events(ctx context.Context) ([]call.Event, error) {
	return lines[call.Event](o, ctx, "events", "--json")
}

func lines[T any](o *Office, ctx context.Context, args ...string) ([]T, error) {
	out, err := o.Command(ctx, args...)
	if err != nil {
		return nil, err
	}
	var list []T
	for line := range strings.Lines(out) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			return nil, fmt.Errorf("read %q: %w", line, err)
		}
		list = append(list, v)
	}
	return list, nil
}

// AwaitCalls waits until the records satisfy the condition, and returns them.
func (o *Office) AwaitCalls(ctx context.Context, enough func([]call.Call) bool) ([]call.Call, error) {
	for {
		list, err := o.Calls(ctx)
		if err == nil && enough(list) {
			return list, nil
		}
		select {
		case <-ctx.Done():
			text, _ := json.MarshalIndent(list, "", " ")
			return list, fmt.Errorf("the call records do not come: %w (%w)\n%s", ctx.Err(), err, text)
		case <-time.After(250 * time.Millisecond): // each look is a program
		}
	}
}

// Close ends everything.
func (o *Office) Close() error {
	if o.markaz != nil {
		o.markaz.Stop(10 * time.Second)
	}
	var errs []error
	if o.Bed != nil && !o.guest {
		errs = append(errs, o.Bed.Close())
	}
	if o.Redis != nil && !o.guest {
		errs = append(errs, o.Redis.Close())
	}
	if o.log != nil {
		errs = append(errs, o.log.Close())
	}
	if o.ports != nil {
		o.ports.Release()
	}
	if o.ownDir {
		errs = append(errs, os.RemoveAll(o.opt.Dir))
	}
	return errors.Join(errs...)
}

func tail(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
