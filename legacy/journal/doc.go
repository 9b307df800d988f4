// Package journal keeps on disk whatever the devices send, byte for byte and
// with the time it came, before anything else is done with it: for some
// exchanges there is no second copy. Connections coming and going, and the
// passing of time where it matters, stand there too, so that reading the
// journal again gives the same result as the first time.
//
// It never interprets what it keeps, and never removes what has not been
// worked off.
package journal
