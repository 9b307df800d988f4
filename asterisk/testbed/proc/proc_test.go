package proc

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStopAndKill(t *testing.T) {
	p, err := Start(exec.Command("sleep", "60"))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Running() || !p.Stop(time.Minute) || p.Running() {
		t.Error("sleep did not end on SIGTERM")
	}
	stubborn := exec.Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
	out, err := stubborn.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p, err = Start(stubborn); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if p.Stop(50 * time.Millisecond) {
		t.Error("a process that ignores SIGTERM ended by itself")
	}
	if _, err := Start(exec.Command("/does/not/exist")); err == nil {
		t.Error("started a program that does not exist")
	}
}

func TestFrozenProcessUsesNoTime(t *testing.T) {
	p, err := Start(exec.Command("sh", "-c", "while :; do :; done"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	cpu := func() time.Duration {
		d, err := p.CPU()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for cpu() < 30*time.Millisecond {
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	for state(p.PID()) != "T" { // the signal needs a moment to arrive
		time.Sleep(time.Millisecond)
	}
	frozen := cpu()
	time.Sleep(60 * time.Millisecond)
	if cpu() != frozen {
		t.Error("a frozen process used machine time")
	}
}

func TestPortsAreGivenOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 20 {
		p, err := ReservePorts(7)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Release()
		for i := range p.Count {
			if seen[p.First+i] {
				t.Errorf("port %d twice", p.First+i)
			}
			seen[p.First+i] = true
		}
	}
	if _, err := ReservePorts(lastPort); !errors.Is(err, ErrNoPorts) {
		t.Errorf("more ports than there are: %v", err)
	}
}

func TestFoldersOfTheDeadAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	old, err := TempDir("bed-")
	if err != nil {
		t.Fatal(err)
	}
	mine, err := TempDir("bed-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, ownerFile), []byte(strconv.Itoa(dead.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := TempDir("bed-"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("folder of a dead process is left: %v", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Errorf("folder of a living process is gone: %v", err)
	}
}

// TestChildDiesWithParent kills a process that started another, as a CI that
// runs out of time would.
func TestChildDiesWithParent(t *testing.T) {
	if os.Getenv("PROC_PARENT") != "" {
		// Through several programs, as Asterisk is started.
		p, err := Start(exec.Command("unshare", "--mount", "--map-root-user", "--", "sh", "-c", "exec sleep 60"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("pid=" + strconv.Itoa(p.PID()) + "\n")
		select {}
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithParent$")
	parent.Env = append(os.Environ(), "PROC_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "pid="))
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatal("the child does not run")
	}
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the child outlived the program that started it")
		}
	}
}

// alive is false for a zombie, which waits for whoever inherits it.
func alive(pid int) bool { s := state(pid); return s != "" && s != "Z" }

// state is the letter that Linux gives to what a process does; "" if there is
// none.
func state(pid int) string {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return rest[:min(1, len(rest))]
}
