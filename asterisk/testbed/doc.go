// Package testbed gives a test or the demo a real Asterisk of its own, SIP
// telephones that speak tones and measure the tones they hear, and load from
// SIPp. It knows nothing of Markaz but the names of the shipped dialplan, and is
// never linked into the product.
//
// A test reads like this (in full in example_test.go; ctx has a deadline):
//
//	bed := testbed.StartT(t, testbed.Options{Files: map[string]string{"extensions.conf": myDialplan}})
//	welcome := bed.Tone(t, "welcome")                 // Playback(welcome) is now a tone of its own
//	agent := testbed.NewPhone(t, bed, "101")          // answers at once; see OnCall
//	err := agent.Register(ctx)
//	caller := testbed.NewCaller(t, bed)               // calls in over the trunk
//	talk, err := caller.Call(ctx, "02112345678", testbed.From("Ali", "09121234567"))
//	err = talk.WaitHeard(ctx, welcome)                // since the call began, in order
//	err = talk.SendDTMF(ctx, "1")
//	taken, err := agent.NextCall(ctx)
//	talk.Speak()                                      // the caller's own voice, until Mute
//	err = taken.WaitHearsOnly(ctx, caller.Voice)      // now, and nobody else
//	err = talk.Hangup(ctx)
//	end, err := taken.WaitEnd(ctx)                    // who, SIP code, Q.850 cause
//	bed.NothingLeft(t)                                // no channel, no bridge
//
// # The bed
//
// Each bed has its own folders and ports on 127.0.0.1 and boots in about half a
// second, so a test may well have one to itself; several run side by side. The
// version is 22, or what the environment variable ASTERISK says. A path under
// the temporary folder (and Options.Share) is the same file for Asterisk and for
// the test. Everything ends with the test, even if that is killed.
//
// Files given in Options replace the generated ones. The generated pjsip.conf
// has the extensions 101, 102, … (Options.Extensions, in AgentContext), the
// trunk "trunk" (any caller from 127.0.0.1 who is not an extension; the number
// dialled is EXTEN in TrunkContext, MARKAZ_TRUNK is set) and "trunk2" (from
// 127.0.0.2). Dial(PJSIP/<number>@trunk) reaches the phone made by NewProvider.
// Music on hold is tone.Music. Spare(i) are ports for servers of the test, such
// as FastAGI. Kill, Stop, Resume, Restart, Freeze and Continue are what they
// say; Complaints are warnings and errors of the log, which is printed when the
// test fails.
//
// # Hearing
//
// There are two kinds of waiting. WaitHears asks for what sounds now or later.
// WaitHeard asks for what was heard since it was last called (or since Forget),
// so that a short prompt is never missed and an order can be stated. A failed
// wait says what was heard instead. EverHeard, Spans, DeadAir and Timeline look
// at the whole call. HearsOnly knows the tones that have a name on the bed:
// prompts, voices of phones, music, ringing.
//
// # Load
//
// RunLoad makes any number of like calls with SIPp: wait, press keys, hold, hang
// up. With Options.Robots, StartRobots plays the extensions 901, 902, …, which
// need no registration and take any number of calls. Process().CPU() is the
// machine time of Asterisk.
package testbed
