// Package queue is the floor of a contact centre: who waits for whom, who is
// free, whose phone is rung next, what the waiting are told, and how well it
// all goes.
//
// A [Floor] owns all queues and all agents. It is a plain struct that only its
// methods change; each of them is told the time, and answers with facts to be
// recorded first and decisions to be carried out then. An agent has one state
// however many queues he serves, so he is never rung for two calls at once.
//
// What one input costs does not grow with the number of callers who wait,
// beyond a logarithm: a place in the line is counted when somebody is about to
// hear it, never on the departure of somebody else.
//
// The package does no I/O, reads no clock, starts no goroutine and makes no
// random choice. It does not read destinations: "extension:101" is handed back
// as it was configured, and a "queue:" is only checked to exist.
package queue
