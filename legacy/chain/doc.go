// Package chain makes calls of an exchange's records. One outside call is
// printed as several records (received, answered, the leg of a DISA line, a
// leg for each person it was transferred to); they become one call with legs.
//
// A [Machine] is fed records and the passing of time, and answers with events.
// The same input gives the same events with the same ids, so that input may be
// repeated after a crash. It does no I/O, reads no clock and takes no chance.
package chain
