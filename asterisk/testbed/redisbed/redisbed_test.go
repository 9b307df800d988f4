package redisbed

import (
	"bufio"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ask sends one inline command and returns the first line of the answer.
func ask(t *testing.T, r *Redis, command string) (string, error) {
	t.Helper()
	return askFor(t, r, command, time.Minute)
}

func askFor(t *testing.T, r *Redis, command string, patience time.Duration) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
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
	if got, err := askFor(t, r, "PING", 300*time.Millisecond); err == nil {
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
