package testbed

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"markaz/asterisk/testbed/tone"
	"markaz/dialplan"
)

func (o Options) withDefaults() Options {
	or := func(value *string, other string) {
		if *value == "" {
			*value = other
		}
	}
	or(&o.Version, os.Getenv("ASTERISK"))
	or(&o.Version, "22")
	or(&o.AgentContext, dialplan.ContextAgents)
	or(&o.TrunkContext, dialplan.ContextInbound)
	if o.Extensions == 0 {
		o.Extensions = 10
	}
	if o.SessionLimit == 0 {
		o.SessionLimit = 1000
	}
	if o.Calls == 0 {
		o.Calls = 120
	}
	return o
}

func isMissing(err error) bool { return errors.Is(err, ErrMissing) }

// writeConfig fills the bed's folder.
func (a *Asterisk) writeConfig() error {
	for _, dir := range []string{
		"etc", "run", "lib", "log", "log/cdr-csv", "moh", "data/sounds",
		"spool/recording", "spool/monitor", "spool/outgoing", "spool/tmp",
	} {
		if err := os.MkdirAll(a.path(dir), 0o755); err != nil {
			return fmt.Errorf("make bed folder: %w", err)
		}
	}
	if err := a.linkData(); err != nil {
		return err
	}
	files, err := a.files()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := a.WriteConfig(name, text); err != nil {
			return err
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read host name: %w", err)
	}
	hosts := "127.0.0.1 localhost\n127.0.1.1 " + host + "\n"
	if err := os.WriteFile(a.path("hosts"), []byte(hosts), 0o644); err != nil {
		return fmt.Errorf("write hosts file: %w", err)
	}
	return tone.WriteWAV(a.path("moh", "tone.wav"), tone.Music(), musicSeconds)
}

// musicSeconds is a whole number of periods of the music, so that it has no
// click where it begins anew.
const musicSeconds = 10

// linkData makes Asterisk's data folder of our own sounds and of links to what
// Debian ships. The links resolve only inside Asterisk's system.
func (a *Asterisk) linkData() error {
	const shipped = "/usr/share/asterisk"
	links := map[string]string{"sounds/en": shipped + "/sounds/en"}
	entries, err := os.ReadDir(filepath.Join(a.root, shipped))
	if err != nil {
		return fmt.Errorf("read asterisk data: %w", err)
	}
	for _, e := range entries {
		if e.Name() != "sounds" {
			links[e.Name()] = shipped + "/" + e.Name()
		}
	}
	for name, target := range links {
		if err := os.Symlink(target, a.path("data", name)); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link asterisk data: %w", err)
		}
	}
	return nil
}

func (a *Asterisk) files() (map[string]string, error) {
	modules, err := a.moduleDir()
	if err != nil {
		return nil, err
	}
	verbose := "messages => notice,warning,error\n"
	if a.opt.Verbose {
		verbose = "messages => notice,warning,error,verbose(5),dtmf\n"
	}
	_, http, _ := strings.Cut(a.ports.Addr(1), ":")
	_, ami, _ := strings.Cut(a.ports.Addr(2), ":")
	files := map[string]string{
		"asterisk.conf": fmt.Sprintf(asteriskConf, a.opt.Dir, strings.TrimPrefix(modules, a.root)),
		"modules.conf":  moduleConf(modules, a.moreModules()),
		"logger.conf":   "[general]\ndateformat=%F %T.%3q\n[logfiles]\n" + verbose,
		"http.conf": fmt.Sprintf("[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport=%s\nsessionlimit=%d\n",
			http, a.opt.SessionLimit),
		"ari.conf": "[general]\nenabled=yes\npretty=no\n" +
			fmt.Sprintf("[%s]\ntype=user\nread_only=no\npassword=%s\n", ARIUser, ARIPassword),
		"manager.conf": managerConf(a.opt.Manager, ami),
		// SIPp sends keys from another port than sound, which strict RTP would drop.
		"rtp.conf": fmt.Sprintf("[general]\nrtpstart=%d\nrtpend=%d\nicesupport=no\nstrictrtp=no\n",
			a.ports.First+servicePorts, a.ports.First+a.ports.Count-1),
		"pjsip.conf":       a.pjsipConf(),
		"musiconhold.conf": fmt.Sprintf("[default]\nmode=files\ndirectory=%s\n[%s]\nmode=files\ndirectory=%[1]s\n", a.path("moh"), MusicName),
		"queues.conf":      queuesConf(a.opt.Queues),
		"cdr.conf":         cdrConf(a.opt.CDR),
		"extensions.conf":  fmt.Sprintf(defaultDialplan, a.opt.AgentContext, a.opt.TrunkContext),
		"indications.conf": indicationsConf,
	}
	for _, name := range emptyFiles() {
		files[name] = ""
	}
	maps.Copy(files, a.opt.Files)
	return files, nil
}

const asteriskConf = `[directories]
astetcdir => %[1]s/etc
astmoddir => %[2]s
astvarlibdir => %[1]s/lib
astdbdir => %[1]s/lib
astkeydir => %[1]s/lib
astdatadir => %[1]s/data
astagidir => %[1]s/data/agi-bin
astspooldir => %[1]s/spool
astrundir => %[1]s/run
astlogdir => %[1]s/log
astsbindir => /usr/sbin
[options]
hideconnect = yes
nocolor = yes
systemname = test-bed
`

// defaultDialplan serves a bed whose test brings no extensions.conf: phones
// call each other, trunk callers reach the phone that the DID ends with.
const defaultDialplan = `[%[1]s]
exten => _1XX,1,Dial(PJSIP/${EXTEN},30)
exten => _X!,1,Dial(PJSIP/${EXTEN}@trunk,30)
[%[2]s]
exten => _X!,1,Dial(PJSIP/${EXTEN:-3},30)
`

const indicationsConf = `[general]
country=us
[us]
description = United States
ringcadence = 2000,4000
dial = 350+440
busy = 480+620/500,0/500
ring = 440+480/2000,0/4000
congestion = 480+620/250,0/250
`

func managerConf(enabled bool, port string) string {
	if !enabled {
		return "[general]\nenabled=no\n"
	}
	return fmt.Sprintf("[general]\nenabled=yes\nbindaddr=127.0.0.1\nport=%s\ntimestampevents=yes\n[%s]\nsecret=%s\nread=all\nwrite=all\n",
		port, ARIUser, ARIPassword)
}

func (a *Asterisk) moreModules() []string {
	if a.opt.CDR {
		return append([]string{"cdr_csv"}, a.opt.Modules...)
	}
	return a.opt.Modules
}

func cdrConf(enabled bool) string {
	if !enabled {
		return "[general]\nenable=no\n"
	}
	return "[general]\nenable=yes\nunanswered=yes\n[csv]\nusegmtime=yes\nloguniqueid=yes\nloguserfield=yes\n"
}

// queuesConf lists the native queues: "fallback" with nobody in it, and what
// the test wants.
func queuesConf(queues map[string][]string) string {
	var b strings.Builder
	b.WriteString("[general]\npersistentmembers=no\nautofill=yes\n")
	write := func(name string, members []string) {
		fmt.Fprintf(&b, "[%s]\nmusicclass=default\nstrategy=rrmemory\ntimeout=20\nretry=1\njoinempty=yes\nringinuse=no\n", name)
		for _, m := range members {
			fmt.Fprintf(&b, "member => %s\n", m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(queues)) {
		write(name, queues[name])
	}
	if _, ok := queues["fallback"]; !ok {
		write("fallback", nil)
	}
	return b.String()
}
