package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"markaz/asterisk/testbed/proc"
)

// Names and secrets of the generated configuration.
const (
	ARIUser     = "markaz"
	ARIPassword = "test-bed"
	TrunkName   = "trunk"      // PJSIP/<number>@trunk dials the provider phone
	Trunk2Name  = "trunk2"     // calls in from 127.0.0.2
	MusicName   = "bed-music"  // the tone that callers on hold hear, see Music
	Password    = "phone-pass" // of every extension
)

// Options of a bed. The zero value is a usable Asterisk with ten extensions.
type Options struct {
	Version      string              // "22" or "16"; default from the environment variable ASTERISK, else 22
	Files        map[string]string   // configuration files by name, instead of or beside the generated ones; "extensions.conf" first of all
	Extensions   int                 // phones 101, 102, …; default 10
	Robots       int                 // extensions 901, 902, … that StartRobots plays; default none
	AgentContext string              // where the phones dial; default dialplan.ContextAgents
	TrunkContext string              // where calls from the trunk land; default dialplan.ContextInbound
	SessionLimit int                 // of Asterisk's HTTP server; default 1000
	Calls        int                 // how many legs at once need RTP ports; default 120
	Queues       map[string][]string // native queues and their members, such as "PJSIP/101"; "fallback" is always there
	Modules      []string            // further modules by name without .so
	Share        []string            // folders that Asterisk shall see under their own path; the temporary folder always is
	CDR          bool                // write cdr-csv/Master.csv in the log folder
	Manager      bool                // enable AMI with ARIUser and ARIPassword
	Verbose      bool                // log each dialplan step
	Dir          string              // configuration, spool, logs; default a temporary folder that Close removes
}

// Asterisk is a running (or killed) Asterisk with everything private: folders,
// ports, accounts. All paths are the same for us and for Asterisk.
type Asterisk struct {
	opt     Options
	root    string // the folder with the Debian system that holds Asterisk
	ports   *proc.Ports
	process *proc.Process
	ownDir  bool
	prompts prompts
}

// ErrMissing says that this version of Asterisk is not unpacked in the cache.
var ErrMissing = errors.New("asterisk is not installed; run make setup")

// servicePorts is how many of the reserved ports are not for RTP.
const servicePorts = 10

// Start prepares and starts an Asterisk and waits until it is fully booted.
func Start(ctx context.Context, opt Options) (*Asterisk, error) {
	a := &Asterisk{opt: opt.withDefaults()}
	a.root = filepath.Join(cacheDir(), "asterisk-"+a.opt.Version)
	if _, err := os.Stat(filepath.Join(a.root, "usr/sbin/asterisk")); err != nil {
		return nil, fmt.Errorf("%w: version %s", ErrMissing, a.opt.Version)
	}
	if err := a.prepare(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.Resume(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Asterisk) prepare() (err error) {
	if a.opt.Dir == "" {
		if a.opt.Dir, err = proc.TempDir("markaz-bed-"); err != nil {
			return err
		}
		a.ownDir = true
	}
	// Each leg takes an even port for RTP and the next for RTCP.
	if a.ports, err = proc.ReservePorts(servicePorts + 2*a.opt.Calls); err != nil {
		return err
	}
	return a.writeConfig()
}

// cacheDir is where scripts/setup.sh unpacks.
func cacheDir() string {
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		base = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	return filepath.Join(base, "markaz")
}

// enter runs its last arguments inside root. The mounts live in a name space of
// the process alone, so that nothing is left of them when it dies, and `exec`
// all along keeps one process id. The hosts file names this machine because an
// unresolvable own name stalls PJSIP for 5 s per call.
const enter = `set -e
root=$1 hosts=$2 folder=$3 shares=$4; shift 4
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$hosts" "$root/etc/hosts"
IFS=:
for dir in $shares; do mkdir -p "$root$dir"; mount --rbind "$dir" "$root$dir"; done
exec chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@"`

// command is a program of Asterisk's system, with our shared folders in it.
func (a *Asterisk) command(folder string, argv ...string) *exec.Cmd {
	shares := append([]string{os.TempDir()}, a.opt.Share...)
	if !strings.HasPrefix(a.opt.Dir, os.TempDir()+"/") {
		shares = append(shares, a.opt.Dir)
	}
	args := []string{"--mount"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user") // whoever is not root may mount in a user name space
	}
	args = append(args,
		"--", "sh", "-c", enter, "enter", a.root, a.path("hosts"), folder, strings.Join(shares, ":"))
	cmd := exec.Command("unshare", append(args, argv...)...)
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "LANG=C.UTF-8")
	return cmd
}

// Resume starts Asterisk again after Kill or Stop, with the same folders and
// ports, and waits until it is fully booted.
func (a *Asterisk) Resume(ctx context.Context) error {
	if a.Running() {
		return errors.New("start asterisk: it is running")
	}
	if err := os.Remove(a.controlSocket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("start asterisk: %w", err)
	}
	out, err := os.OpenFile(a.path("log", "console"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("start asterisk: %w", err)
	}
	defer out.Close()
	cmd := a.command(a.opt.Dir, "/usr/sbin/asterisk", "-f", "-C", a.path("etc", "asterisk.conf"))
	cmd.Stdout, cmd.Stderr = out, out
	if a.process, err = proc.Start(cmd); err != nil {
		return err
	}
	return a.waitBooted(ctx)
}

func (a *Asterisk) waitBooted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if a.booted(ctx) {
			return nil
		}
		select {
		case <-tick.C:
		case <-a.process.Done():
			return fmt.Errorf("start asterisk: %w\n%s", a.process.Wait(), a.Log())
		case <-ctx.Done():
			return fmt.Errorf("start asterisk: %w\n%s", ctx.Err(), a.Log())
		}
	}
}

// booted asks two things: "core waitfullybooted" is answered a moment before
// all commands of the CLI are there.
func (a *Asterisk) booted(ctx context.Context) bool {
	answer, err := a.CLI(ctx, "core waitfullybooted")
	if err != nil || !strings.Contains(answer, "fully booted") {
		return false
	}
	answer, err = a.CLI(ctx, "core show version")
	return err == nil && strings.HasPrefix(answer, "Asterisk "+a.opt.Version)
}

// Running tells whether the process lives, frozen or not.
func (a *Asterisk) Running() bool { return a.process != nil && a.process.Running() }

// Process is the running Asterisk; after Resume it is another one.
func (a *Asterisk) Process() *proc.Process { return a.process }

// Kill ends Asterisk as a crash would (SIGKILL): phones get no BYE.
func (a *Asterisk) Kill() { a.process.Kill() }

// Stop ends Asterisk with "core stop now": phones get a BYE.
func (a *Asterisk) Stop(ctx context.Context) error {
	_, err := a.CLI(ctx, "core stop now")
	a.process.Stop(5 * time.Second)
	return err
}

// Restart kills Asterisk and starts it again.
func (a *Asterisk) Restart(ctx context.Context) error {
	a.Kill()
	return a.Resume(ctx)
}

// Freeze makes Asterisk hang with all its sockets open; Continue ends it.
func (a *Asterisk) Freeze() error { return a.process.Freeze() }

// Continue ends a Freeze.
func (a *Asterisk) Continue() error { return a.process.Continue() }

// Close ends Asterisk for good. A folder that Start made is removed.
func (a *Asterisk) Close() error {
	if a.process != nil {
		a.process.Kill()
	}
	if a.ports != nil {
		a.ports.Release()
	}
	if a.ownDir {
		if err := os.RemoveAll(a.opt.Dir); err != nil {
			return fmt.Errorf("remove bed folder: %w", err)
		}
	}
	return nil
}
