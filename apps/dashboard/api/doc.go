// Package api is the interface for programs and for the pages: everything that
// can be seen or asked for, as JSON over HTTP, documented as OpenAPI 3.1 made
// from the same declarations that serve it.
//
// A request that changes something is answered with 202 and the id of the
// request; what becomes of it is told by the stream of events. Every operation
// names the right that it needs, which is checked before its handler runs; the
// handler checks what the right is used on. Refusals, and whatever a right was
// needed for, are recorded.
//
// The package knows neither Asterisk nor where calls are kept.
package api
