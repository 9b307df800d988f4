package redisbed

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"markaz/asterisk/testbed/proc"
)

// ask sends one inline command and returns the first line of the answer.
func ask(t *testing.T, r *Redis, command string) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func mustAsk(t *testing.T, r *Redis, command, want string) {
	t.Helper()
	if got, err := ask(t, r, command); err != nil || got != want {
		t.Fatalf("%s: got %q, %v, want %q", command, got, err, want)
	}
}

func TestDataSurvivesKillAndStop(t *testing.T) {
	r := StartT(t, Options{Fsync: "always"})
	mustAsk(t, r, "SET k 1", "+OK")
	r.Kill()
	if _, err := ask(t, r, "PING"); err == nil {
		t.Fatal("a killed server answered")
	}
	if err := r.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustAsk(t, r, "INCR k", ":2")
	r.Stop()
	if err := r.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustAsk(t, r, "INCR k", ":3")
}

func TestFreeze(t *testing.T) {
	r := StartT(t, Options{})
	if err := r.Freeze(); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(t, r, "PING"); err == nil {
		t.Fatalf("a frozen server answered %q", got)
	}
	if err := r.Continue(); err != nil {
		t.Fatal(err)
	}
	mustAsk(t, r, "PING", "+PONG")
}

func TestMemoryLimitRefusesInsteadOfEvicting(t *testing.T) {
	r := StartT(t, Options{MaxMemory: "1mb"})
	big := strings.Repeat("x", 60_000)
	for i := range 100 {
		got, err := ask(t, r, "SET k"+strconv.Itoa(i)+" "+big)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(got, "-OOM") {
			return
		}
	}
	t.Fatal("no OOM answer under maxmemory 1mb")
}

func TestSeveralAtOnceAndNothingLeft(t *testing.T) {
	a, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := StartT(t, Options{})
	mustAsk(t, a, "SET who a", "+OK")
	mustAsk(t, b, "GET who", "$-1")
	pid := a.Process().PID()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a.Dir()); !os.IsNotExist(err) {
		t.Errorf("folder is left: %v", err)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("process is left")
	}
}

// TestDiesWithItsTest kills a process that started Redis, as a CI that runs out
// of time would, and waits for the server to go.
func TestDiesWithItsTest(t *testing.T) {
	if os.Getenv("REDISBED_CHILD") != "" {
		r, err := Start(t.Context(), Options{Dir: os.Getenv("REDISBED_CHILD")})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("pid=" + strconv.Itoa(r.Process().PID()) + "\n")
		select {}
	}
	child := exec.Command(os.Args[0], "-test.run=^TestDiesWithItsTest$")
	child.Env = append(os.Environ(), "REDISBED_CHILD="+t.TempDir())
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(child)
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
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("server does not run: %v", err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server outlived the program that started it")
		}
	}
}

// alive is false for a zombie, which waits for whoever inherits it.
func alive(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return !strings.HasPrefix(rest, "Z")
}
