// Package fastagi serves Asterisk's AGI over TCP (FastAGI): it listens, lets in
// whom it should, reads what Asterisk says of a call, and hands a [Session] with
// typed commands and answers to a handler. It knows nothing of what a call is
// for, keeps nothing between two sessions, and trusts no byte it reads.
//
// Of github.com/CyCoreSystems/agi v0.6.4 it uses what is safe: the header
// (New, Variables), once readHeader has checked it, and the channel states. The
// rest of the library stays unused, for these reasons, each of which a test
// here would have caught:
//
//   - Listen reads headers in the accept loop, so that one silent client stops
//     all calls; it has no limits and cannot be stopped.
//   - Command sends arguments as they are: a line break is a second command.
//   - Command loses its place after a HANGUP line and after a usage error,
//     which has several lines, and then gives each command the answer to
//     another, without an error. Each call reads by a new bufio.Scanner, which
//     drops what it has read beyond the line, so that this cannot be mended
//     from outside but by feeding it one answer at a time. That was tried: it
//     is safe, and costs 30 % of all processor time (4 kB of garbage and a
//     regular expression for each command; BenchmarkSessions fell from 1.27 to
//     0.89 of a bare handler).
//   - StreamFile, WaitForDigit and the others lose digits, and take failures
//     and hang-ups for success.
//
// The dialplan must set AGISIGHUP=no and AGIEXITONHANGUP=yes before AGI(): then
// the connection ends when the caller hangs up, and nothing is ever sent
// unasked. Without them sessions work too, but learn of a hang-up only from the
// answer to the next command. TCP_QUICKACK, which would bring that line 40 ms
// earlier, is not set: it comes while we wait for an answer, and then nothing
// of ours is unacknowledged.
package fastagi
