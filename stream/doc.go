// Package stream is the call log: every event that happened, in order, on a
// Redis stream, with a spool on this machine's disk in front of it.
//
// Writing. [Log.Append] writes an event to the spool and returns; it never
// waits for Redis or for the disk to confirm. [Log.Run] carries the spool to
// Redis. Each event arrives there exactly once, in the order of Append,
// however often Redis is killed, full, emptied or replaced by a replica that
// lost its tail, and however this process ends: the spool numbers its records,
// and one script on Redis keeps the number it holds of each writer together
// with the events themselves, so that a repeat is skipped and a gap is asked
// for again. What Redis 7 was killed in the middle of writing, and would run at
// its start after next, is healed before anything is sent (heal.lua).
//
// Reading. [Reader] reads a range, takes a snapshot and follows from there
// without a gap; the ids it hands out are those of the Redis stream. [Group]
// is work that must be done once for every event: the events of one call in
// order, one at a time or those that wait at once, whichever process does
// them, with retries over days, attempts that survive restarts, and dead
// letters.
//
// [Lease] is what at most one process holds.
//
// The package is the only one that knows Redis. It never looks into an event
// beyond its id, kind and call, never folds events to calls, and never drops
// one without saying so.
package stream
