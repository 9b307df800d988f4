// Package ivr is what a caller meets before a person: where a dialled number
// leads at that hour, and the menus and messages on the way.
//
// A [Book] is made from a [Config] once and never changes. Its machine is a
// plain function: [Book.Enter] and then [Book.Step] take a [State] and an event
// and give the next state, facts to record, actions to do and, at the end, the
// [Choice] of where the caller goes. It cannot tell FastAGI from ARI: keys come
// as call.LegDigit, during a prompt or after it, and the end of a prompt as
// call.PlayDone. [Check] finds what is wrong with a Config before any caller
// does.
//
// The package reads no clock and no file (but for the time zone database, when
// a Book is made), plays nothing itself, starts no goroutine and keeps nothing
// between calls. It knows neither queues nor telephones: it only names them.
package ivr
