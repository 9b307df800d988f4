package testbed

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed/tone"
)

func TestMain(m *testing.M) { Main(m) }

// menu is a small dialplan of its own: a prompt, three keys, a way to a phone.
const menu = `[markaz-inbound]
exten => 200,1,Answer()
same => n,Playback(welcome)
same => n,Read(KEYS,beep-tone,3,,1,5)
same => n,Playback(${IF($["${KEYS}" = "117"]?right:wrong)})
same => n,Hangup(21)
exten => 201,1,Dial(PJSIP/101,10)
same => n,Hangup(${HANGUPCAUSE})
exten => 202,1,Set(NAME=${CALLERID(name)})
same => n,Answer()
same => n,System(printf %s ${BASE64_ENCODE(${NAME})} > ${ENV(BED_OUT)}/name)
same => n,Hangup()
exten => 203,1,Answer()
same => n,Playback(missing&welcome)
same => n,Wait(30)
[markaz-agents]
exten => _1XX,1,Dial(PJSIP/${EXTEN},30)
exten => _09.,1,Dial(PJSIP/${EXTEN}@trunk,30)
`

func TestTrunkCallerHearsPromptsAndKeysArrive(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{Version: version, Files: map[string]string{"extensions.conf": menu}})
		welcome, beep := bed.Tone(t, "welcome"), bed.Tone(t, "beep-tone")
		right, wrong := bed.Tone(t, "right"), bed.Tone(t, "wrong")
		caller := NewCaller(t, bed)
		ctx := within(t, 20*time.Second)
		for keys, answer := range map[string]tone.Tone{"117": right, "12#": wrong} {
			talk, err := caller.Call(ctx, "200", From("Ali", "09121234567"))
			check(t, err)
			check(t, talk.WaitHeard(ctx, welcome, beep))
			check(t, talk.SendDTMF(ctx, keys))
			check(t, talk.WaitHeard(ctx, answer))
			end, err := talk.WaitEnd(ctx)
			check(t, err)
			if end.ByUs || end.Q850 != 21 {
				t.Errorf("keys %s: %+v", keys, end)
			}
			if answer == right && talk.EverHeard(wrong) {
				t.Error("heard both answers")
			}
		}
		bed.NothingLeft(t)
	})
}

func TestWhatPhonesDoWithACall(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{Version: version, Files: map[string]string{"extensions.conf": menu}})
		ctx := within(t, 20*time.Second)
		agent, caller := NewPhone(t, bed, "101"), NewCaller(t, bed)
		check(t, agent.Register(ctx))
		for _, c := range []struct {
			reaction Reaction
			code     int
		}{{RejectBusy, 486}, {RejectDecline, 603}, {RejectWith(480), 480}} {
			agent.OnCall(c.reaction)
			_, err := caller.Call(ctx, "201")
			var refused *CallError
			if !errors.As(err, &refused) || refused.Code < 400 {
				t.Errorf("want a refusal, got %v", err)
			}
			in, err := agent.NextCall(ctx)
			check(t, err)
			if end, err := in.WaitEnd(ctx); err != nil || !end.ByUs || end.Code != c.code {
				t.Errorf("agent: %+v, %v, want code %d", end, err, c.code)
			}
		}
		agent.OnCall(AnswerAfter(300 * time.Millisecond))
		begin := time.Now()
		talk, err := caller.Call(ctx, "201")
		check(t, err)
		if d := time.Since(begin); d < 300*time.Millisecond || d > 2*time.Second {
			t.Errorf("answered after %v", d)
		}
		in, err := agent.NextCall(ctx)
		check(t, err)
		check(t, in.Hangup(ctx))
		if end, err := talk.WaitEnd(ctx); err != nil || end.ByUs {
			t.Errorf("caller: %+v, %v", end, err)
		}
		bed.NothingLeft(t)
	})
}

func TestCallerGivesUpWhileItRings(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{Version: version, Files: map[string]string{"extensions.conf": menu}})
		ctx := within(t, 20*time.Second)
		agent, caller := NewPhone(t, bed, "101"), NewCaller(t, bed)
		check(t, agent.Register(ctx))
		agent.OnCall(Ignore)
		talk, err := caller.Dial(ctx, "201", From("Ali", "0912"))
		check(t, err)
		in, err := agent.NextCall(ctx)
		check(t, err)
		if in.FromUser != "0912" || in.FromName != "Ali" {
			t.Errorf("agent sees %q <%s>", in.FromName, in.FromUser)
		}
		check(t, talk.Hangup(ctx))
		if end, _ := talk.WaitEnd(ctx); !end.ByUs || end.Code != 487 {
			t.Errorf("caller: %+v", end)
		}
		if end, err := in.WaitEnd(ctx); err != nil || end.ByUs || end.Code != 487 {
			t.Errorf("agent: %+v, %v", end, err)
		}
		bed.NothingLeft(t)
	})
}

func TestCallsOutReachTheProvider(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{Version: version, Files: map[string]string{"extensions.conf": menu}})
		ctx := within(t, 20*time.Second)
		agent, provider := NewPhone(t, bed, "101"), NewProvider(t, bed)
		talk, err := agent.Call(ctx, "09351112233")
		check(t, err)
		far, err := provider.NextCall(ctx)
		check(t, err)
		if far.Dialled != "09351112233" {
			t.Errorf("provider sees %q", far.Dialled)
		}
		far.Speak()
		check(t, talk.WaitHearsOnly(ctx, provider.Voice))
		check(t, talk.SendDTMF(ctx, "42#"))
		check(t, far.WaitGone(ctx, agent.Voice))
		check(t, far.Hangup(ctx))
		if far.Digits() != "42#" {
			t.Errorf("provider got keys %q", far.Digits())
		}
		bed.NothingLeft(t)
	})
}

func TestTransfers(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{Version: version, Files: map[string]string{"extensions.conf": menu}})
		ctx := within(t, 30*time.Second)
		caller := NewCaller(t, bed)
		var agents []*Phone
		for i := range 3 {
			p := NewPhone(t, bed, Extension(i))
			check(t, p.Register(ctx))
			agents = append(agents, p)
		}
		talk, err := caller.Call(ctx, "201")
		check(t, err)
		first, err := agents[0].NextCall(ctx)
		check(t, err)
		talk.Speak()
		check(t, first.WaitHears(ctx, caller.Voice)) // until then Asterisk has no bridge and refuses
		check(t, first.Transfer(ctx, "102"))
		second, err := agents[1].NextCall(ctx)
		check(t, err)
		_, err = first.WaitEnd(ctx)
		check(t, err)
		check(t, second.WaitHearsOnly(ctx, caller.Voice))
		asked, err := agents[1].Call(ctx, "103")
		check(t, err)
		third, err := agents[2].NextCall(ctx)
		check(t, err)
		third.Speak()
		check(t, asked.WaitHears(ctx, agents[2].Voice))
		check(t, second.TransferTo(ctx, asked))
		check(t, third.WaitHearsOnly(ctx, caller.Voice))
		check(t, talk.WaitHearsOnly(ctx, agents[2].Voice))
		_, err = second.WaitEnd(ctx)
		check(t, err)
		check(t, talk.Hangup(ctx))
		bed.NothingLeft(t)
	})
}

func TestHostileNameArrivesAsSent(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		out := t.TempDir()
		bed := StartT(t, Options{Version: version, Files: map[string]string{
			"extensions.conf": strings.ReplaceAll(menu, "${ENV(BED_OUT)}", out),
		}})
		ctx := within(t, 10*time.Second)
		caller := NewCaller(t, bed)
		for _, name := range []string{`a\"b\\c`, `${SHELL(id)}`, "rtl\u202eevil", "<script>'", strings.Repeat("9", 300)} {
			talk, err := caller.Call(ctx, "202", RawFrom(name, "0912"))
			check(t, err)
			_, err = talk.WaitEnd(ctx)
			check(t, err)
			raw, err := os.ReadFile(filepath.Join(out, "name"))
			check(t, err)
			got, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw)))
			check(t, err)
			if want := name[:min(len(name), 79)]; !strings.HasPrefix(string(got), want) {
				t.Errorf("sent %q, dialplan has %q", name, got)
			}
		}
		bed.NothingLeft(t)
	})
}

func TestKillFreezeAndRestart(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{Version: version, Files: map[string]string{"extensions.conf": menu}})
		ctx := within(t, 30*time.Second)
		welcome := bed.Tone(t, "welcome")
		caller := NewCaller(t, bed)
		talk, err := caller.Call(ctx, "203")
		check(t, err)
		check(t, talk.WaitHeard(ctx, welcome))
		check(t, bed.Freeze())
		check(t, talk.WaitSilence(ctx, 300*time.Millisecond))
		check(t, bed.Continue())
		bed.Kill()
		begin := time.Now()
		check(t, bed.Resume(ctx))
		t.Logf("up again after %v", time.Since(begin))
		again, err := caller.Call(ctx, "203")
		check(t, err)
		check(t, again.WaitHeard(ctx, welcome))
		check(t, again.Hangup(ctx))
		bed.NothingLeft(t)
		check(t, bed.Stop(ctx))
		check(t, bed.Resume(ctx))
	})
}
