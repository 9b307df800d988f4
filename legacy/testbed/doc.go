// Package testbed is what the legacy sidecar is tried against: an office whose
// calls are made up, as an exchange would print them, with the truth beside
// the records; an exchange that prints them over TCP and enforces its log-in;
// and pairs of pseudo-terminals in place of serial ports.
//
// It is for tests and for the demo, never part of the product.
package testbed
