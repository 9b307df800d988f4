package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed/proc"
	"markaz/asterisk/testbed/redisbed"
	"markaz/legacy/testbed"
)

// BenchmarkIdle is a sidecar that has eight exchanges connected and nothing to
// do: how much memory it holds, and how much of a core it takes. The program
// is built as it is delivered.
func BenchmarkIdle(b *testing.B) {
	dir := b.TempDir()
	program := filepath.Join(dir, "markaz-legacy")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	redis := redisbed.StartT(b, redisbed.Options{})
	text := fmt.Sprintf("dir: %s\nlisten: %q\nstream: {redis: {addr: %q}}\nsources:\n", dir, freeAddress(b), redis.Addr())
	for i := range 8 {
		pbx, address := exchange(b, testbed.Options{})
		pbx.Print("23/11/26 09:41AM   299    LOG OUT")
		text += source(fmt.Sprintf("key: pbx%d", i), "model: KX-NS500", "date: DD/MM/YY", fmt.Sprintf("connection: {type: tcp, address: %q}", address))
	}
	config := filepath.Join(dir, "legacy.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, err := proc.Start(exec.Command(program, "--config", config, "run"))
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		before, err := p.CPU()
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		after, err := p.CPU()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(resident(b, p.PID()), "MB-resident")
		b.ReportMetric((after-before).Seconds()/10*100, "%-of-a-core")
		if !p.Stop(10 * time.Second) {
			b.Error("had to be killed")
		}
	}
}

// resident is how much memory a process holds, in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
