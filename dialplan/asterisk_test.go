package dialplan_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/dialplan"
)

const lease = 3 // seconds; what ships is 10

// bed is an Asterisk that has loaded the shipped file, and a phone that is the
// fall-back.
func bed(t *testing.T, version string) (*testbed.Asterisk, *testbed.Phone, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	b := testbed.StartT(t, testbed.Options{Version: version, Files: map[string]string{
		"extensions.conf": "#include markaz.conf\n", "markaz.conf": "[markaz-inbound]\n",
	}})
	site := site
	site.AGI, site.Lease, site.Fallback = b.Spare(0), lease, "extension:101"
	var conf bytes.Buffer
	if err := dialplan.Render(&conf, site); err != nil {
		t.Fatal(err)
	}
	if err := b.WriteConfig("markaz.conf", conf.String()); err != nil {
		t.Fatal(err)
	}
	if out, err := b.CLI(ctx, "dialplan reload"); err != nil {
		t.Fatal(out, err)
	}
	phone := testbed.NewPhone(t, b, "101")
	if err := phone.Register(ctx); err != nil {
		t.Fatal(err)
	}
	return b, phone, ctx
}

func onBoth(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range []string{"22", "16"} {
		t.Run("asterisk "+version, func(t *testing.T) {
			t.Parallel() // each has an Asterisk of its own
			test(t, version)
		})
	}
}

func TestAsteriskLoadsTheFileWithoutAWarning(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, version string) {
		b, _, ctx := bed(t, version)
		for _, line := range b.Complaints() {
			t.Error(line)
		}
		for _, context := range []string{
			dialplan.ContextInbound, dialplan.ContextInboundStasis, dialplan.ContextServe, dialplan.ContextPrepare,
			dialplan.ContextAgents, dialplan.ContextOutgoing, dialplan.ContextFeatures, dialplan.ContextFallback, dialplan.ContextCheck,
		} {
			out, err := b.CLI(ctx, "dialplan show "+context)
			if err != nil || !strings.Contains(out, "[ Context '"+context+"'") {
				t.Errorf("%s: %v %s", context, err, out)
			}
		}
	})
}

// Whatever Markaz does or fails to do, the caller talks to the fall-back.
func TestCallersReachTheFallback(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, version string) {
		for _, tc := range []struct {
			name   string
			server func(t *testing.T, addr string) // in place of Markaz
			within time.Duration
			log    string
		}{
			{"nobody listens", func(*testing.T, string) {}, 2 * time.Second, ""},
			{"the server dies at once", dies, 2 * time.Second, ""},
			{"the server is mute", mute, (lease + 1) * time.Second, ""},
			{"the call was handed over and Stasis is not there", handsOver, 2 * time.Second, "Stasis"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				b, phone, ctx := bed(t, version)
				tc.server(t, b.Spare(0))
				caller := testbed.NewCaller(t, b)
				begin := time.Now()
				talk, err := caller.Dial(ctx, "02112345678", testbed.From("Ali", "09121234567"))
				if err != nil {
					t.Fatal(err)
				}
				taken, err := phone.NextCall(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if d := time.Since(begin); d > tc.within+500*time.Millisecond {
					t.Errorf("the fall-back rang after %v", d)
				}
				talk.Speak()
				if err := taken.WaitHears(ctx, caller.Voice); err != nil {
					t.Error(err)
				}
				time.Sleep(lease*time.Second + time.Second) // the lease must be lifted: nobody cuts this talk
				if err := taken.WaitHears(ctx, caller.Voice); err != nil {
					t.Error("the conversation was cut: ", err)
				}
				if err := talk.Hangup(ctx); err != nil {
					t.Error(err)
				}
				b.NothingLeft(t)
			})
		}
	})
}

// A caller's name and number are data: no line, quote or expression of his
// reaches FastAGI.
func TestCallerDataIsFiltered(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, version string) {
		b, _, ctx := bed(t, version)
		env := make(chan string, 1)
		serve(t, b.Spare(0), func(c net.Conn) {
			buf := make([]byte, 8192)
			n := 0
			for !bytes.Contains(buf[:n], []byte("\n\n")) {
				k, err := c.Read(buf[n:])
				if err != nil {
					break
				}
				n += k
			}
			env <- string(buf[:n])
		})
		caller := testbed.NewCaller(t, b)
		diverted := testbed.WithHeader("Diversion", `"x" <sip:0913%0aagi_context%3a%20x@127.0.0.1>;reason=busy`)
		if _, err := caller.Dial(ctx, "02112345678%0aagi_extension%3a%20x", testbed.From(`${SHELL(id)} مریم <b>&"x`, "0912$,1234567"), diverted); err != nil {
			t.Fatal(err)
		}
		select {
		case text := <-env:
			for _, line := range []string{"agi_callerid: 09121234567\n", "agi_calleridname: SHELLid مریم bx\n", "agi_dnid: 02112345678\n", "agi_rdnis: 0913\n"} {
				if !strings.Contains(text, line) {
					t.Errorf("missing %q in\n%s", line, text)
				}
			}
		case <-ctx.Done():
			t.Fatal("no call reached FastAGI")
		}
	})
}

func serve(t *testing.T, addr string, handle func(net.Conn)) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { handle(c); _ = c.Close() }()
		}
	}()
}

func dies(t *testing.T, addr string) { serve(t, addr, func(net.Conn) {}) }

func mute(t *testing.T, addr string) {
	serve(t, addr, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
}

// handsOver says that the call goes on in Stasis, where nobody is.
func handsOver(t *testing.T, addr string) {
	serve(t, addr, func(c net.Conn) {
		buf := make([]byte, 8192)
		_, _ = c.Read(buf)
		_, _ = io.WriteString(c, `SET VARIABLE "`+dialplan.VarDone+`" "`+dialplan.DoneHandover+"\"\n")
		_, _ = c.Read(buf)
	})
}
