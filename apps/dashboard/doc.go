// Package dashboard is what people see in their browsers: the supervisor's
// desk, the agent's phone panel, the calls of the past, reports, the audit log
// and the big screen on the wall.
//
// Pages are made here, with texts of the catalogue, and filled live by three
// small scripts of our own from the event stream of the folder hub. Everything
// is in the binary; nothing is loaded from elsewhere, no script or style stands
// in a page, and texts that come from calls reach a page as text alone.
//
// What people do, the pages ask of the same API that programs use. The package
// decides nothing about rights: it asks the user that it is given.
package dashboard
