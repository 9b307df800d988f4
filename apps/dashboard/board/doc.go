// Package board folds the events of the log into what people see: extensions,
// queues, lines, sources, the calls that go on and those that have just ended.
//
// A [Board] is told events and answers, when asked, which of its rows have
// changed since it was last asked. A row has a key that never changes, so that
// a page can replace it; everything it holds is a copy.
//
// The package does no I/O and reads no clock: a day begins when an event or
// [Board.Tick] says so.
package board
