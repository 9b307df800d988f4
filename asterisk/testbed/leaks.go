package testbed

import (
	"testing"

	"go.uber.org/goleak"
)

// Main is the TestMain of packages that have phones: when their tests have
// passed, no goroutine may be left but those that sipgo leaves.
func Main(m *testing.M) {
	goleak.VerifyTestMain(
		m,
		// A phone that hangs up towards a killed Asterisk leaves a socket.
		goleak.IgnoreAnyFunction("github.com/emiago/sipgo/sip.(*TransportUDP).readUDPConnection"),
		// An answer is kept for repetitions of its request, up to 32 s (RFC 3261, 17.2).
		goleak.IgnoreAnyFunction("github.com/emiago/sipgo/sip.(*ServerTx).TerminateGracefully"),
	)
}
