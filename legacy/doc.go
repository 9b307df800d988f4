// Package legacy brings old exchanges and bare telephone lines into the call
// log: Panasonic records over TCP, serial or from files, line monitors such as
// Segal and Danjeh, and the files of a Telsa recorder.
//
// One way through: a link receives bytes, the journal has them on disk, the
// [Engine] works the journal off in order, a machine per source makes events
// of it, and the log has the events before the journal's position is moved.
// Machines are deterministic and ids follow from what was received, so after a
// crash the same events are made again and the log's repeats are left out.
//
// The package never talks to Redis, to a CRM or to Asterisk, and never throws
// a byte away that it does not understand.
package legacy
