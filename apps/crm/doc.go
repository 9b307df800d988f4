// Package crm tells other programs about calls: a signed web hook for any of
// them, and one file for each CRM that has a telephony interface of its own.
//
// A [Sink] is one receiver with its settings, its own consumer group on the
// call log and its own pace. Whoever reads the log hands it each event in the
// order of the call, with the number of tries made so far, and does what the
// [Verdict] says: acknowledge, try again later, put aside as a dead letter, or
// stop reading. A [Connector] is what a sink speaks through; a new CRM is one
// more file with a settings struct and a Connector, and one more line in
// [SinkConfig].
//
// How long a receiver may be away:
//   - An event that fails by itself (400, 413, 422 …: the receiver does not
//     like this one) is tried on the schedule of Standard Webhooks, ten times
//     in three days, since operators do repair receivers; then it is a dead
//     letter. The next event of its call waits, other calls pass.
//   - When the receiver as a whole fails (no connection, 5xx, 401, 404 …) twice
//     in a row, the sink is away: its events wait without using up their
//     tries, and one at a time probes, at most once a minute. After three days
//     of that they are dead letters.
//   - 429, and 503 with Retry-After, hold the whole sink back for as long as
//     the receiver asks, a day at most.
//   - 410 switches the sink off until an operator or a restart switches it on.
//
// The package never reads or writes the log itself, never delays a call, never
// follows a redirect, and never talks to a private address unless the settings
// allow it.
package crm
