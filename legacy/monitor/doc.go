// Package monitor reads line monitors: small devices between a telephone line
// and its phone that report ringing, caller ID, hook and digits. Each kind of
// device is a file of YAML, a [Profile]; there is no code for any of them.
//
// A [Machine] is fed bytes and the passing of time, and answers with call
// events; the same input gives the same events. A frame that matches no rule
// is counted and kept for a look, never an error. The package does no I/O.
package monitor
