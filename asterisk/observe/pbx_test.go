package observe_test

import (
	"fmt"
	"strings"
	"testing"

	"markaz/asterisk/testbed"
)

// The office that is observed: a dialplan of somebody else, written in the
// manner of FreePBX. Each shape of call has a block of five extensions to
// itself, so that all shapes can be played at once. What is dialled from
// outside says the shape: 021, one digit for the way, the first extension of
// the block.
const foreignDialplan = `
[globals]
TRUNK=trunk

[from-trunk]
exten => _0210XXX,1,Goto(ext-queues,3${EXTEN:4},1)
exten => _0211XXX,1,Goto(ext-local,${EXTEN:4},1)
exten => _0212XXX,1,Set(__FROM_DID=${EXTEN})
 same => n,Goto(ext-group,6${EXTEN:4},1)
exten => _0213XXX,1,Goto(ext-group,5${EXTEN:4},1)
exten => _0214XXX,1,Goto(ext-queues,4${EXTEN:4},1)
exten => _0215XXX,1,Goto(ivr-1,s,1)
exten => _0216XXX,1,Goto(ext-followme,${EXTEN:4},1)
exten => _0217XXX,1,Goto(ext-vm,${EXTEN:4},1)
exten => _0218XXX,1,Set(MAIN=${EXTEN:4})
 same => n,Goto(ivr-2,s,1)
exten => _0219XXX,1,MixMonitor(${REC}/in-${EXTEN}-${UNIQUEID}.wav,b)
 same => n,Goto(ext-local,${EXTEN:4},1)
exten => _022XXX,1,Set(MAIN=${EXTEN:3})
 same => n,Goto(markaz-inbound,${EXTEN},1)

[markaz-inbound]
exten => _022XXX,1,Wait(1)
 same => n,Goto(markaz-fallback,s,1)

[markaz-fallback]
exten => s,1,NoOp(not served)
 same => n,Answer()
 same => n,Dial(PJSIP/${MAIN},20)
 same => n,Hangup()

[from-internal]
include => ext-features
include => ext-local
include => ext-groups
include => parkedcalls
exten => _09X.,1,Dial(PJSIP/${EXTEN}@${TRUNK},30,tT)
 same => n,Hangup()

[ext-features]
exten => _**XXX,1,Pickup(${EXTEN:2}@PICKUPMARK)
exten => _*97,1,Answer()
 same => n,Wait(1)
 same => n,Hangup()

[ext-local]
exten => _[12]XX,1,Set(__PICKUPMARK=${EXTEN})
 same => n,Gosub(sub-dial,s,1(${EXTEN},20))
 same => n,Hangup()
exten => h,1,NoOp(over)

[sub-dial]
exten => s,1,NoOp(ring ${ARG1})
 same => n,Dial(${PJSIP_DIAL_CONTACTS(${ARG1})},${ARG2},tTkK)
 same => n,Return()

[ext-groups]
exten => _[456]XXX,1,Goto(ext-group,${EXTEN},1)

[ext-group]
exten => _6XXX,1,Set(B=${EXTEN:1})
 same => n,Dial(Local/${B}@ext-local/n&Local/$[${B}+1]@ext-local/n&Local/$[${B}+2]@ext-local/n&Local/$[${B}+3]@ext-local/n&Local/$[${B}+4]@ext-local/n,6,t)
 same => n,Hangup()
exten => _5XXX,1,Set(B=${EXTEN:1})
 same => n,Dial(PJSIP/${B}&PJSIP/$[${B}+1]&PJSIP/$[${B}+2]&PJSIP/$[${B}+3]&PJSIP/$[${B}+4],6,t)
 same => n,Hangup()
exten => _4XXX,1,Goto(ext-queues,${EXTEN},1)

[ext-queues]
exten => _[34]XXX,1,Answer()
 same => n,Queue(${EXTEN},t,,,8)
 same => n,Playback(sorry)
 same => n,Hangup()

[from-queue]
exten => _[12]XX,1,Dial(PJSIP/${EXTEN},20)

[ivr-1]
exten => s,1,Answer()
 same => n,Background(welcome)
 same => n,WaitExten(4)
exten => t,1,Hangup()
exten => i,1,Playback(sorry)
 same => n,Hangup()

[ivr-2]
exten => s,1,Answer()
 same => n,Background(welcome)
 same => n,WaitExten(4)
exten => 1,1,Goto(ext-local,${MAIN},1)

[ext-followme]
exten => _[12]XX,1,Dial(PJSIP/${EXTEN},2)
 same => n,Dial(Local/0912${EXTEN}@from-internal/n,20)
 same => n,Hangup()

[ext-vm]
exten => _[12]XX,1,Dial(PJSIP/${EXTEN},2)
 same => n,Answer()
 same => n,VoiceMail(${EXTEN}@default,s)
 same => n,Hangup()
`

const (
	blocks   = 34 // of five extensions each
	features = "[general]\nfeaturedigittimeout=1500\ntransferdigittimeout=3\natxfernoanswertimeout=8\n[featuremap]\nblindxfer => #1\natxfer => *2\nparkcall => #72\n"
	parking  = "[general]\n[default]\nparkext => 700\nparkpos => 701-720\ncontext => parkedcalls\nparkingtime => 30\nfindslot => next\n"
)

// pbx starts the office.
func pbx(t testing.TB, opt testbed.Options) *testbed.Asterisk {
	t.Helper()
	opt.Extensions, opt.AgentContext, opt.TrunkContext = 5*blocks, "from-internal", "from-trunk"
	opt.Modules = append(opt.Modules, "res_parking", "app_voicemail", "app_followme", "func_pjsip_contact")
	opt.CDR = true
	var boxes, queues strings.Builder
	queues.WriteString("[general]\nautofill=yes\n")
	boxes.WriteString("[general]\nformat=wav\nmaxsilence=2\nminsecs=1\n[default]\n")
	for i := range blocks {
		first := 101 + 5*i
		for way, member := range map[int]string{3: "Local/%d@from-queue/n", 4: "PJSIP/%d"} {
			fmt.Fprintf(&queues, "[%d%d]\nmusicclass=default\nstrategy=ringall\ntimeout=5\nretry=1\njoinempty=yes\n", way, first)
			for n := range 5 {
				fmt.Fprintf(&queues, "member => "+member+"\n", first+n)
			}
		}
		fmt.Fprintf(&boxes, "%d => 1234,Box %[1]d\n", first)
	}
	rec := t.TempDir()
	opt.Files = map[string]string{
		"extensions.conf": strings.Replace(foreignDialplan, "[globals]", "[globals]\nREC="+rec, 1),
		"queues.conf":     queues.String(),
		"features.conf":   features, "res_parking.conf": parking, "voicemail.conf": boxes.String(),
	}
	bed := testbed.StartT(t, opt)
	for _, prompt := range []string{"welcome", "sorry"} {
		if _, err := bed.Prompt(prompt, 1); err != nil {
			t.Fatal(err)
		}
	}
	return bed
}
