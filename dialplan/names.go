// Package dialplan holds the Asterisk configuration that Markaz ships, and the
// few names that the dialplan and the Go code share. It does not talk to
// Asterisk and it knows nothing of calls.
package dialplan

// Channel variables that the dialplan and Markaz exchange.
const (
	VarCall     = "MARKAZ_CALL"     // our call id, once there is one
	VarState    = "MARKAZ_STATE"    // what Markaz remembers on the channel, at most 1 kB
	VarDone     = "MARKAZ_DONE"     // the sentinel: why Markaz let go of the channel; empty after a crash
	VarDest     = "MARKAZ_DEST"     // with DoneRelease: the fall-back destination asked for
	VarLease    = "MARKAZ_LEASE"    // seconds of silence from Markaz after which the dialplan takes over
	VarTo       = "MARKAZ_TO"       // the dialled number, filtered
	VarTrunk    = "MARKAZ_TRUNK"    // the line the call came in on
	VarFallback = "MARKAZ_FALLBACK" // set by the administrator: context,extension,priority that serves callers while Markaz cannot
	VarAsk      = "MARKAZ_ASK"      // the agent state that a feature code asks for; the word of a check
	VarLegs     = "MARKAZ_LEGS"     // on the caller's channel: the phones that ring for him or talk with him, by unique id, joined by &
	VarLeg      = "MARKAZ_LEG"      // of the dialplan alone: the channel of one of them
	VarChecked  = "MARKAZ_CHECKED"  // global: the word of the last check, a colon, and its VarDone
)

// Values of VarDone.
const (
	DoneHandover = "handover" // go on in Stasis
	DoneHangup   = "hangup"   // the call is over
	DoneRelease  = "release"  // go to VarDest
	DoneOK       = "ok"       // a feature code was carried out
	DoneRefused  = "refused"  // a feature code was refused
)

// Contexts of the shipped file.
const (
	ContextInbound       = "markaz-inbound"        // trunks enter here: FastAGI first, then Stasis
	ContextInboundStasis = "markaz-inbound-stasis" // the same by Stasis alone
	ContextServe         = "markaz-serve"          // what both do
	ContextPrepare       = "markaz-prepare"        // filters and the lease, before any hand-over
	ContextAgents        = "markaz-agents"         // phones of agents dial from here
	ContextOutgoing      = "markaz-outgoing"       // to the trunk
	ContextFeatures      = "markaz-features"       // log in, log out, pause by code
	ContextFallback      = "markaz-fallback"       // when Markaz is dead, mute or frozen
	ContextLetGo         = "markaz-let-go"         // hangs up the phones that Markaz called for a caller
	ContextLeft          = "markaz-left"           // hangup handler of the phones that Markaz calls
	ContextCheck         = "markaz-check"          // the live test of `markaz doctor`
)

// EventEnd is the user event by which the dialplan tells with which code and
// words the other side has refused a call; EndWhy is its only field.
const (
	EventEnd = "MarkazEnd"
	EndWhy   = "why"
)

// First arguments of Stasis(app,…) and last path elements of the FastAGI
// address: what the channel wants of Markaz.
const (
	EntryInbound = "inbound" // a caller
	EntryAgent   = "agent"   // FastAGI only; agi_arg_1 is one of the states below
	EntryCheck   = "check"   // FastAGI only
	EntryLeg     = "leg"     // Stasis only: a leg that Markaz made, so no dialplan names it
)

// States that a feature code asks for.
const (
	AskAvailable = "available"
	AskOffline   = "offline"
	AskPaused    = "paused"
)
