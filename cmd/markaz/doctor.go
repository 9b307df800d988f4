package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"syscall"
	"time"

	"markaz/asterisk/ari"
	"markaz/dialplan"
	"markaz/stream"
)

type doctorCmd struct {
	JSON  bool `name:"json" help:"One JSON object per finding and line."`
	Quick bool `help:"Only whether the running Markaz is ready."`
}

// doctor gathers findings. Errors decide the exit code: the worst of what
// cannot be reached (3), what is refused (4) and the rest (1).
type doctor struct {
	cfg   *config
	found []stream.Finding
	code  int
}

func (d *doctor) good(name, format string, args ...any) {
	d.found = append(d.found, stream.Finding{Name: name, Detail: fmt.Sprintf(format, args...)})
}

func (d *doctor) doubtful(name, detail, fix string) {
	d.found = append(d.found, stream.Finding{Name: name, Severity: stream.Doubtful, Detail: detail, Fix: fix})
}

func (d *doctor) bad(code int, name, detail, fix string) {
	d.found = append(d.found, stream.Finding{Name: name, Severity: stream.Bad, Detail: detail, Fix: fix})
	d.code = max(d.code, code)
}

// Run looks at everything that calls need, and says how to mend what is wrong.
func (c doctorCmd) Run(ctx context.Context, cmd *cli, con console) error {
	cfg, err := load(cmd.Config)
	if err != nil {
		return err
	}
	if c.Quick {
		return quick(ctx, cfg)
	}
	d := &doctor{cfg: cfg}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	d.names(ctx)
	d.asterisk(ctx)
	d.redis(ctx, con)
	d.disk()
	d.observing()
	if c.JSON {
		err = writeJSON(con.out, d.found)
	} else {
		err = d.print(con)
	}
	if err == nil && d.code != 0 {
		return exit(d.code, "something is wrong, see above")
	}
	return err
}

func (d *doctor) print(con console) error {
	mark := map[stream.Severity]string{stream.Good: "✓", stream.Doubtful: "!", stream.Bad: "✗"}
	for _, f := range d.found {
		line := fmt.Sprintf("%s %-16s %s", mark[f.Severity], f.Name, f.Detail)
		if f.Fix != "" {
			line += "\n                   → " + f.Fix
		}
		if _, err := fmt.Fprintln(con.out, line); err != nil {
			return err
		}
	}
	return nil
}

// names looks up what must be found quickly: a PBX whose own name does not
// resolve stalls each SIP call for seconds.
func (d *doctor) names(ctx context.Context) {
	host, err := os.Hostname()
	if err == nil {
		d.lookUp(ctx, "host name", host, "add the line '127.0.1.1 "+host+"' to /etc/hosts of the PBX: without it each SIP call can stall for seconds")
	}
	if u, err := url.Parse(d.cfg.Asterisk.ARI.URL); err == nil {
		d.lookUp(ctx, "PBX address", u.Hostname(), "correct asterisk.ari.url, or the name server")
	}
}

func (d *doctor) lookUp(ctx context.Context, name, host, fix string) {
	begin := time.Now()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	switch took := time.Since(begin); {
	case err != nil:
		d.bad(exitUnreachable, name, err.Error(), fix)
	case took > 500*time.Millisecond:
		d.doubtful(name, fmt.Sprintf("%s took %v to look up", host, took.Round(time.Millisecond)), fix)
	default:
		d.good(name, "%s is %s", host, addrs[0])
	}
}

// asterisk looks at the PBX through its REST interface.
func (d *doctor) asterisk(ctx context.Context) {
	client := ari.New(d.cfg.Asterisk.ARI, nil)
	defer client.Close()
	info, err := client.Info(ctx)
	switch {
	case ari.Status(err) == 401 || ari.Status(err) == 403:
		d.bad(exitRefused, "ARI", err.Error(), "compare asterisk.ari.username and password with ari.conf of the PBX")
		return
	case err != nil:
		d.bad(exitUnreachable, "ARI", err.Error(), "enable http.conf and ari.conf of the PBX, and correct asterisk.ari.url")
		return
	}
	d.good("ARI", "Asterisk %s answers", info.SystemInfo.Version)
	d.rights(ctx, client)
	d.sessions(ctx)
	d.modules(ctx, client)
	d.sounds(ctx, client)
	d.dialplan(ctx, client)
}

func (d *doctor) rights(ctx context.Context, client *ari.Client) {
	if err := client.SetGlobal(ctx, dialplan.VarChecked, ""); err != nil {
		d.bad(exitRefused, "ARI rights", err.Error(), "set read_only=no for the user in ari.conf")
		return
	}
	d.good("ARI rights", "commands are allowed")
}

// sessions opens as many connections as Markaz and a little company will use.
func (d *doctor) sessions(ctx context.Context) {
	u, err := url.Parse(d.cfg.Asterisk.ARI.URL)
	if err != nil {
		return // reported by the look-up
	}
	want := d.cfg.Asterisk.ARI.Connections + 8
	var dialer net.Dialer
	served := 0
	for range want {
		conn, err := dialer.DialContext(ctx, "tcp", u.Host)
		if err != nil {
			break
		}
		defer conn.Close()
		// Over its limit Asterisk closes at once; under it, it waits for us.
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); !os.IsTimeout(err) {
			break
		}
		served++
	}
	if served < want {
		d.doubtful("HTTP sessions", fmt.Sprintf("Asterisk serves %d connections at once, Markaz may need %d", served, want), "raise sessionlimit in http.conf")
		return
	}
	d.good("HTTP sessions", "%d connections at once are served", want)
}

func (d *doctor) modules(ctx context.Context, client *ari.Client) {
	for name, need := range map[string]string{
		"res_agi.so": "FastAGI", "res_stasis_playback.so": "prompts", "res_stasis_recording.so": "recording",
		"chan_bridge_media.so": "recording of conversations", "res_musiconhold.so": "music on hold", "res_stasis_snoop.so": "listening in",
	} {
		running, err := client.Module(ctx, name)
		if err != nil || !running {
			d.bad(exitFailure, "module", fmt.Sprintf("%s is not running; it is needed for %s", name, need), "load = "+name+" in modules.conf, or: asterisk -rx 'module load "+name+"'")
		}
	}
}

func (d *doctor) sounds(ctx context.Context, client *ari.Client) {
	languages := d.cfg.IVR.Languages
	if len(languages) == 0 {
		languages = []string{"en"}
	}
	for _, l := range languages {
		n, err := client.Sounds(ctx, l)
		switch {
		case err != nil:
			d.doubtful("sounds "+l, err.Error(), "see whether the PBX is overloaded")
		case n == 0:
			cure := "use texts only, or put recordings into the folder " + l + " of Asterisk's sounds"
			if slices.Contains([]string{"en", "es", "fr", "it", "ru"}, l) { // Debian has these
				cure = "install asterisk-core-sounds-" + l + "-wav, or use texts only"
			}
			d.doubtful("sounds "+l, "Asterisk has none in this language; texts are spoken by the speech program, bare numbers are not", cure)
		default:
			d.good("sounds "+l, "%d sounds", n)
		}
	}
}

// dialplan sends a call through the installed file to the running Markaz.
func (d *doctor) dialplan(ctx context.Context, client *ari.Client) {
	word := newID()
	err := client.Call(ctx, "markaz-check-"+word, dialplan.ContextCheck, "s", "wait", map[string]string{dialplan.VarAsk: word})
	if err != nil {
		d.bad(exitFailure, "dialplan", err.Error(), "run: markaz dialplan install, and do what it says")
		return
	}
	defer func() { _ = client.Hangup(context.WithoutCancel(ctx), "markaz-check-"+word, 0) }() // over by now, or gone in 5 s
	d.testCall(ctx, client, word)
}

func (d *doctor) testCall(ctx context.Context, client *ari.Client, word string) {
	for range 60 {
		got, err := client.Global(ctx, dialplan.VarChecked)
		switch {
		case err == nil && got == word+":"+dialplan.DoneOK:
			d.good("test call", "a call from the dialplan reached the running Markaz and came back")
			return
		case err == nil && got == word+":":
			d.bad(exitUnreachable, "test call", "the call fell through to the fall-back: nobody answers at "+d.cfg.Dialplan.AGI, "start markaz serve; see that dialplan.agi is the address of asterisk.agi.listen as the PBX reaches it")
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	d.bad(exitFailure, "dialplan", "a test call never came back: markaz.conf is not loaded, or is an old one", "run: markaz dialplan install, and do what it says")
}

// redis looks at the stream.
func (d *doctor) redis(ctx context.Context, con console) {
	client, err := stream.Connect(d.cfg.Stream, d.cfg.Log.Logger(con.err))
	if err != nil {
		d.bad(exitConfig, "redis", err.Error(), "correct stream.redis")
		return
	}
	defer client.Close()
	for _, f := range append(client.Check(ctx), stream.CheckSpool(d.cfg.Stream.Spool)) {
		d.found = append(d.found, f)
		if f.Severity == stream.Bad {
			d.code = max(d.code, exitUnreachable)
		}
	}
}

func (d *doctor) disk() {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(d.cfg.DataDir, &fs); err != nil {
		d.bad(exitFailure, "disk", fmt.Sprintf("%s: %v", d.cfg.DataDir, err), "make the folder data_dir, owned by the user of Markaz")
		return
	}
	free := float64(fs.Bavail) / float64(max(fs.Blocks, 1)) * 100
	detail := fmt.Sprintf("%s has %.0f %% free", d.cfg.DataDir, free)
	if free < 10 {
		d.doubtful("disk", detail, "free space, or move data_dir: recordings stop when it is full")
		return
	}
	d.good("disk", "%s", detail)
}
