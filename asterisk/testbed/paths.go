package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Version is "22" or "16".
func (a *Asterisk) Version() string { return a.opt.Version }

// Dir holds everything of this bed; etc, spool, log, run and more lie below it.
func (a *Asterisk) Dir() string { return a.opt.Dir }

func (a *Asterisk) path(elem ...string) string {
	return filepath.Join(append([]string{a.opt.Dir}, elem...)...)
}

// ConfigDir is Asterisk's /etc/asterisk.
func (a *Asterisk) ConfigDir() string { return a.path("etc") }

// SoundsDir takes prompts: a file x.wav in it is played as "x" in any language.
func (a *Asterisk) SoundsDir() string { return a.path("data", "sounds") }

// RecordingDir is where ARI recordings go; MonitorDir is MixMonitor's.
func (a *Asterisk) RecordingDir() string { return a.path("spool", "recording") }

// MonitorDir is where MixMonitor writes relative names.
func (a *Asterisk) MonitorDir() string { return a.path("spool", "monitor") }

// SIPAddr is host and port of the UDP transport.
func (a *Asterisk) SIPAddr() string { return a.ports.Addr(0) }

// ARIURL is the base of the REST interface, without a slash at its end.
func (a *Asterisk) ARIURL() string { return "http://" + a.ports.Addr(1) + "/ari" }

// ARIWebsocketURL is where events come from.
func (a *Asterisk) ARIWebsocketURL() string { return "ws://" + a.ports.Addr(1) + "/ari/events" }

// ManagerAddr is host and port of AMI, with Options.Manager.
func (a *Asterisk) ManagerAddr() string { return a.ports.Addr(2) }

// ProviderAddr is where calls out over the trunk arrive; a Provider phone listens there.
func (a *Asterisk) ProviderAddr() string { return a.ports.Addr(3) }

// robotAddr is where the Robots listen.
func (a *Asterisk) robotAddr() string { return a.ports.Addr(4) }

// Spare is a reserved port of the bed for a server of the test or demo, i from
// 0 to 4: for instance the FastAGI address that the dialplan names.
func (a *Asterisk) Spare(i int) string { return a.ports.Addr(5 + i) }

// LogFile holds notices, warnings and errors.
func (a *Asterisk) LogFile() string { return a.path("log", "messages") }

// Log is the log so far, with what Asterisk wrote to its console.
func (a *Asterisk) Log() string {
	messages, _ := os.ReadFile(a.LogFile())
	console, _ := os.ReadFile(a.path("log", "console"))
	return string(console) + string(messages)
}

// Complaints are the lines of the log that are warnings or errors.
func (a *Asterisk) Complaints() []string {
	var lines []string
	for line := range strings.Lines(a.Log()) {
		if strings.Contains(line, "WARNING[") || strings.Contains(line, "ERROR[") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// WriteConfig replaces one file of ConfigDir; a reload by CLI makes it count.
func (a *Asterisk) WriteConfig(name, text string) error {
	if err := os.WriteFile(filepath.Join(a.ConfigDir(), name), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}
