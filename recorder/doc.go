// Package recorder decides which calls are recorded and looks after the files:
// it names them, fetches them from the PBX, verifies them, and deletes them
// when their time is over.
//
// [Policy] is pure: it looks at a call and says yes or no, and why. [Keeper]
// has the I/O: on recording.stopped it brings the sound into the [Archive] and
// reports recording.available. It never trusts what the PBX says of a file: a
// full disk over there is reported as a fine recording, so each file is read,
// measured and compared with the talk it is of. At the source a file is
// deleted only when the log has given back the event that it is safe here.
//
// The package records nothing itself, never touches a call, and never follows
// a path out of its folder.
package recorder
