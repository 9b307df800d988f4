// Package observe tells of the calls of an Asterisk whose dialplan is
// somebody else's: FreePBX, Issabel, Elastix, hand-made. It looks on over ARI,
// as an application of its own that is told of all channels and bridges, and
// says the same events as for calls that Markaz handles, marked as observed.
//
// [Machine] is the translation: Asterisk's events in, call events out, a plain
// state machine without I/O, clock or chance, so that recorded logs replay.
// [Observer] connects it to an Asterisk.
//
// The package changes nothing on the Asterisk: it starts, stops, moves and
// marks no channel. It guesses nothing: what Asterisk did not tell is taken
// from its call detail records, or is not told.
package observe
