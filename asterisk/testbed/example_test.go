package testbed_test

import (
	"context"
	"testing"
	"time"

	"markaz/asterisk/testbed"
)

// exampleDialplan answers, plays a prompt, waits for a key and rings an agent.
const exampleDialplan = `[markaz-inbound]
exten => _X.,1,Answer()
same => n,Read(KEY,welcome,1,,1,5)
same => n,Dial(PJSIP/10${KEY},20)
`

// TestExample is the example of the package comment, run.
func TestExample(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	bed := testbed.StartT(t, testbed.Options{Files: map[string]string{"extensions.conf": exampleDialplan}})
	welcome := bed.Tone(t, "welcome")
	agent := testbed.NewPhone(t, bed, "101")
	check(agent.Register(ctx))
	caller := testbed.NewCaller(t, bed)

	talk, err := caller.Call(ctx, "02112345678", testbed.From("Ali", "09121234567"))
	check(err)
	check(talk.WaitHeard(ctx, welcome))
	check(talk.SendDTMF(ctx, "1"))
	taken, err := agent.NextCall(ctx)
	check(err)
	talk.Speak()
	taken.Speak()
	check(taken.WaitHearsOnly(ctx, caller.Voice))
	check(talk.WaitHearsOnly(ctx, agent.Voice))
	check(talk.Hangup(ctx))
	end, err := taken.WaitEnd(ctx)
	check(err)
	if end.ByUs || end.Q850 != 16 {
		t.Errorf("the agent's side ended with %+v", end)
	}
	bed.NothingLeft(t)
}
