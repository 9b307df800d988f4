package asterisk

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const fakeLeg = "1795307054.6"

// fakeCall is Asterisk's side of one call: it answers commands as res_agi.c
// does, and drops keys that no command waits for.
type fakeCall struct {
	t    testing.TB
	conn net.Conn
	next chan string   // commands read and not begun
	keys chan string   // a key that is pressed now
	gone chan struct{} // the caller hangs up
	shut chan struct{} // our end of the connection has closed it
	over chan struct{} // the session has ended

	mu    sync.Mutex
	vars  map[string]string
	files map[string]time.Duration
	cmds  []string
	doing string // the command that runs
}

// ring begins a call. vars are the channel's variables.
func (r *agiRig) ring(script string, vars map[string]string, args ...string) *fakeCall {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.server.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	f := &fakeCall{
		t: r.t, conn: conn, next: make(chan string, 1), keys: make(chan string), gone: make(chan struct{}), shut: make(chan struct{}), over: make(chan struct{}),
		vars: map[string]string{"CHANNEL(state)": "Ring"}, files: map[string]time.Duration{},
	}
	for k, v := range vars {
		f.vars[k] = v
	}
	for _, d := range "0123456789" {
		f.files["digits/"+string(d)] = 5 * time.Millisecond
	}
	f.files["digits/star"], f.files["digits/pound"] = 5*time.Millisecond, 5*time.Millisecond
	if _, err := io.WriteString(conn, fakeHeader(script, args...)); err != nil {
		r.t.Fatal(err)
	}
	go f.read()
	go f.run()
	r.t.Cleanup(func() { _ = conn.Close(); <-f.over })
	return f
}

func fakeHeader(script string, args ...string) string {
	h := "agi_network: yes\nagi_network_script: " + script + "\nagi_request: agi://127.0.0.1/" + script + `
agi_channel: PJSIP/trunk-00000001
agi_language: en
agi_type: PJSIP
agi_uniqueid: ` + fakeLeg + `
agi_version: 22.10.1
agi_callerid: 09121234567
agi_calleridname: Ali  ` + "\u202e" + `Rezaei
agi_callingpres: 0
agi_callingani2: 0
agi_callington: 0
agi_callingtns: 0
agi_dnid: 02188
agi_rdnis: unknown
agi_context: markaz-serve
agi_extension: s
agi_priority: 3
agi_enhanced: 0.0
agi_accountcode: ` + `
agi_threadid: 1
`
	for i, a := range args {
		h += fmt.Sprintf("agi_arg_%d: %s\n", i+1, a)
	}
	return h + "\n"
}

func (f *fakeCall) read() {
	defer close(f.shut)
	in := bufio.NewReader(f.conn)
	for {
		ln, err := in.ReadString('\n')
		if err != nil {
			return
		}
		f.mu.Lock()
		f.cmds = append(f.cmds, strings.TrimSuffix(ln, "\n"))
		f.mu.Unlock()
		f.next <- strings.TrimSuffix(ln, "\n")
	}
}

// run answers until the session or the call ends.
func (f *fakeCall) run() {
	defer close(f.over)
	defer func() {
		_ = f.conn.Close()
		for {
			select {
			case <-f.next:
			case <-f.shut:
				return
			}
		}
	}()
	for {
		select {
		case cmd := <-f.next:
			if reply := f.answer(cmd); reply != "" {
				if _, err := io.WriteString(f.conn, reply+"\n"); err != nil {
					return
				}
			}
			if cmd == "HANGUP" || strings.HasPrefix(cmd, "EXEC Hangup") {
				return
			}
		case <-f.gone:
			return
		case <-f.shut:
			return
		}
	}
}

func (f *fakeCall) answer(cmd string) string {
	f.mu.Lock()
	f.doing = cmd
	f.mu.Unlock()
	w := words(cmd)
	switch {
	case strings.HasPrefix(cmd, "GET FULL VARIABLE"):
		return "200 result=1 (" + f.full(w[3]) + ")"
	case strings.HasPrefix(cmd, "SET VARIABLE"):
		f.mu.Lock()
		defer f.mu.Unlock()
		f.vars[w[2]] = w[3]
		return "200 result=1"
	case strings.HasPrefix(cmd, "STREAM FILE"):
		return f.stream(w[2], w[3], w[4])
	case strings.HasPrefix(cmd, "SAY DIGITS"):
		return f.say("digits/"+w[2], w[3])
	case strings.HasPrefix(cmd, "SAY NUMBER"):
		return f.say("digits/1", w[3])
	case strings.HasPrefix(cmd, "WAIT FOR DIGIT"):
		ms, _ := strconv.Atoi(w[3])
		if key, end := f.pass(time.Duration(ms)*time.Millisecond, "0123456789*#ABCD", nil); end == "key" {
			return fmt.Sprintf("200 result=%d", key[0])
		} else if end == "hang-up" {
			return "200 result=-1"
		}
		return "200 result=0"
	case strings.HasPrefix(cmd, "EXEC Hangup"):
		return "200 result=-1"
	case cmd == "CHANNEL STATUS":
		return "200 result=6"
	case cmd == "ANSWER", strings.HasPrefix(cmd, "SET MUSIC"):
		return "200 result=0"
	}
	f.t.Errorf("unknown command %q", cmd)
	return "510 Invalid or unknown command"
}

// full expands ${URIENCODE(${NAME})}, the only expression that we send.
func (f *fakeCall) full(expression string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return regexp.MustCompile(`\$\{URIENCODE\(\$\{(.*?)\}\)\}`).ReplaceAllStringFunc(expression, func(s string) string {
		return f.vars[strings.TrimSuffix(strings.TrimPrefix(s, "${URIENCODE(${"), "})}")]
	})
}

// stream plays a file of 8 samples a millisecond; a new command stops it
// without an answer.
func (f *fakeCall) stream(file, escape, from string) string {
	f.mu.Lock()
	length, ok := f.files[file]
	f.mu.Unlock()
	position, _ := strconv.Atoi(from)
	if !ok {
		return "200 result=-1 endpos=" + from
	}
	begun := time.Now()
	key, end := f.pass(max(0, length-time.Duration(position)*time.Second/8000), escape, f.next)
	at := position + 1 + int(time.Since(begun).Seconds()*8000)
	switch end {
	case "command":
		return f.answer(key)
	case "key":
		return fmt.Sprintf("200 result=%d endpos=%d", key[0], at)
	case "hang-up":
		return fmt.Sprintf("200 result=-1 endpos=%d", at)
	}
	return fmt.Sprintf("200 result=0 endpos=%d", int(length.Seconds()*8000))
}

func (f *fakeCall) say(file, escape string) string {
	f.mu.Lock()
	length := f.files[file]
	f.mu.Unlock()
	key, end := f.pass(length, escape, nil)
	switch end {
	case "key":
		return fmt.Sprintf("200 result=%d", key[0])
	case "hang-up":
		return "200 result=-1"
	}
	return "200 result=0"
}

// pass lets time pass until a key among escape, a command, or a hang-up.
func (f *fakeCall) pass(d time.Duration, escape string, commands chan string) (what, end string) {
	late := time.NewTimer(d)
	defer late.Stop()
	for {
		select {
		case key := <-f.keys:
			if strings.Contains(escape, key) {
				return key, "key"
			}
		case cmd := <-commands:
			return cmd, "command"
		case <-f.gone:
			return "", "hang-up"
		case <-f.shut:
			return "", "hang-up"
		case <-late.C:
			return "", "time"
		}
	}
}

// press presses keys, each as soon as some command waits for one.
func (f *fakeCall) press(keys string) {
	f.t.Helper()
	for _, k := range keys {
		select {
		case f.keys <- string(k):
		case <-f.over:
			f.t.Errorf("session over before key %c", k)
			return
		case <-time.After(5 * time.Second):
			f.t.Fatalf("nobody waits for key %c", k)
		}
	}
}

// plays waits until a file plays.
func (f *fakeCall) plays(file string) {
	f.t.Helper()
	f.until(file, func(doing string) bool {
		return strings.HasPrefix(doing, `STREAM FILE "`+file+`"`) && !strings.HasSuffix(doing, " 1073741824")
	})
}

// says waits until a command runs.
func (f *fakeCall) says(command string) {
	f.t.Helper()
	f.until(command, func(doing string) bool { return strings.HasPrefix(doing, command) })
}

func (f *fakeCall) until(what string, ok func(doing string) bool) {
	f.t.Helper()
	for late := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		doing := f.doing
		f.mu.Unlock()
		if ok(doing) {
			return
		}
		if time.Now().After(late) {
			f.t.Fatalf("want %s, have %s", what, doing)
		}
	}
}

func (f *fakeCall) hangUp() { close(f.gone) }

// ended waits for the session's end.
func (f *fakeCall) ended() {
	f.t.Helper()
	select {
	case <-f.over:
	case <-time.After(10 * time.Second):
		f.t.Fatalf("the session goes on:\n%s", strings.Join(f.commands(""), "\n"))
	}
}

func (f *fakeCall) variable(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vars[name]
}

// sound makes a file.
func (f *fakeCall) sound(name string, length time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[name] = length
}

// commands returns those that begin with a word.
func (f *fakeCall) commands(begin string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.cmds), func(c string) bool { return !strings.HasPrefix(c, begin) })
}

// words takes a command apart; what we send has no blank within quotes but in
// the last of them.
func words(cmd string) []string {
	var out []string
	for cmd != "" {
		var word string
		if cmd[0] == '"' {
			end := strings.Index(cmd[1:], `"`) + 1
			word, cmd = cmd[1:end], cmd[end+1:]
		} else {
			word, cmd, _ = strings.Cut(cmd, " ")
			out = append(out, word)
			continue
		}
		out = append(out, word)
		cmd = strings.TrimPrefix(cmd, " ")
	}
	return out
}
