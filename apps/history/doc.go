// Package history keeps every call and the events that it is made of, so that
// they can be searched, shown, explained and counted long after the stream has
// let go of them.
//
// The store is one SQLite file. It is fed with the events of the stream, each
// once, however often it is handed over; a call's record is the fold of its
// events and of nothing else, so that a store that is made anew from the same
// stream tells the same. Calls that were merged are told as the one that goes
// on.
//
// What is not in the stream is kept beside: who has listened to which
// recording.
//
// The package never changes an event, decides nothing about calls, and does
// not judge who may see what: it takes that as a condition of the question.
package history
