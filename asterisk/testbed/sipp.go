package testbed

import (
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"markaz/asterisk/testbed/proc"
	"markaz/asterisk/testbed/tone"
)

//go:embed sipp/*.xml
var scenarios embed.FS

// sippRun is one SIPp at work in a folder of its own.
type sippRun struct {
	dir     string
	ports   *proc.Ports
	process *proc.Process
}

// startSIPp runs a scenario. SIPp comes from the system of Asterisk 22 even for
// a bed with 16, because it is the newer one; it needs only the network.
func (a *Asterisk) startSIPp(name string, data any, atOnce int, limit time.Duration, more ...string) (*sippRun, error) {
	run := &sippRun{}
	var err error
	if run.dir, err = os.MkdirTemp(a.opt.Dir, "sipp-"); err != nil {
		return nil, fmt.Errorf("start sipp: %w", err)
	}
	if run.ports, err = proc.ReservePorts(4 * (atOnce + 2)); err != nil {
		run.close()
		return nil, err
	}
	script, err := run.writeScenario(name, data)
	if err != nil {
		run.close()
		return nil, err
	}
	args := append([]string{
		"/usr/bin/sipp", "-sf", script, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-nostdin",
		"-min_rtp_port", strconv.Itoa(run.ports.First), "-max_rtp_port", strconv.Itoa(run.ports.First + run.ports.Count - 1),
		"-timeout", strconv.Itoa(int(limit.Seconds())) + "s", "-fd", "1", "-trace_stat", "-stf", run.file("stat.csv"),
		"-trace_rtt", "-rtt_freq", "1", "-trace_err", "-error_file", run.file("errors"),
	}, more...)
	cmd := a.in(sippRoot(a.root)).command(run.dir, args...)
	out, err := os.Create(run.file("screen"))
	if err != nil {
		run.close()
		return nil, fmt.Errorf("start sipp: %w", err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if run.process, err = proc.Start(cmd); err != nil {
		run.close()
		return nil, err
	}
	return run, nil
}

// in is the same bed as seen from another system.
func (a *Asterisk) in(root string) *Asterisk {
	return &Asterisk{opt: a.opt, root: root}
}

func sippRoot(fallback string) string {
	newer := filepath.Join(cacheDir(), "asterisk-22")
	if _, err := os.Stat(filepath.Join(newer, "usr/bin/sipp")); err == nil {
		return newer
	}
	return fallback
}

func (s *sippRun) file(name string) string { return filepath.Join(s.dir, name) }

func (s *sippRun) writeScenario(name string, data any) (string, error) {
	sound := func() string { return s.file("voice.ulaw") }
	text, err := template.New(name+".xml").Funcs(template.FuncMap{
		"sound": sound, "keyMS": keyTime.Milliseconds,
		"each": func(keys string) []string { return strings.Split(keys, "") },
	}).ParseFS(scenarios, "sipp/"+name+".xml")
	if err != nil {
		return "", fmt.Errorf("read scenario: %w", err)
	}
	var voice []byte
	for n := 0; n < tone.Rate; n += tone.FrameLen {
		voice = append(voice, tone.Voice(14).Frame(n)...)
	}
	if err := os.WriteFile(sound(), voice, 0o644); err != nil {
		return "", fmt.Errorf("write voice: %w", err)
	}
	path := s.file(name + ".xml")
	out, err := os.Create(path)
	if err != nil {
		return "", fmt.Errorf("write scenario: %w", err)
	}
	err = text.Execute(out, data)
	if err := errors.Join(err, out.Close()); err != nil {
		return "", fmt.Errorf("write scenario: %w", err)
	}
	return path, nil
}

func (s *sippRun) close() {
	if s.process != nil {
		s.process.Kill()
	}
	if s.ports != nil {
		s.ports.Release()
	}
}

// report reads the last line of the statistics and all answer times.
func (s *sippRun) report() (Report, error) {
	var r Report
	raw, err := os.ReadFile(s.file("stat.csv"))
	if err != nil {
		screen, _ := os.ReadFile(s.file("screen"))
		return r, fmt.Errorf("read sipp statistics: %w\n%s", err, screen)
	}
	in := csv.NewReader(strings.NewReader(string(raw)))
	in.Comma, in.FieldsPerRecord = ';', -1
	rows, err := in.ReadAll()
	if err != nil || len(rows) < 2 {
		return r, fmt.Errorf("read sipp statistics: %d lines (%w)", len(rows), err)
	}
	last := func(column string) (n int) {
		if i := slices.Index(rows[0], column); i >= 0 {
			n, _ = strconv.Atoi(rows[len(rows)-1][i])
		}
		return n
	}
	r.OK, r.Failed, r.Cancelled = last("SuccessfulCall(C)"), last("FailedCall(C)"), last("cancelled(C)")
	r.OK -= r.Cancelled
	errorLog, _ := os.ReadFile(s.file("errors"))
	r.Errors = string(errorLog)
	r.Answered, err = s.answerTimes()
	return r, err
}

// answerTimes reads lines of "date in ms;response time in ms;name".
func (s *sippRun) answerTimes() ([]time.Duration, error) {
	files, err := filepath.Glob(s.file("*_rtt.csv"))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		return nil, fmt.Errorf("read answer times: %w", err)
	}
	var times []time.Duration
	for line := range strings.Lines(string(raw)) {
		fields := strings.Split(strings.TrimSpace(line), ";")
		if len(fields) < 3 {
			continue
		}
		if ms, err := strconv.ParseFloat(fields[1], 64); err == nil {
			times = append(times, time.Duration(ms*float64(time.Millisecond)))
		}
	}
	slices.Sort(times)
	return times, nil
}
