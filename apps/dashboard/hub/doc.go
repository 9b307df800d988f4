// Package hub gives what the board shows to any number of open pages, as
// server-sent events (WHATWG HTML, section 9.2).
//
// A page begins with a snapshot and then gets the rows that change, many at a
// time. Every message has an id; a page that was away names the last it had
// and gets what it missed, or a new snapshot where that is not kept any more.
// What a page gets is made once for all users who may see the same.
//
// Pages read a shared chain of changes at their own pace: a slow one holds up
// nobody, is given a snapshot in place of a long backlog, and is cut off when
// it does not read at all.
package hub
