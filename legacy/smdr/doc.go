// Package smdr reads what Panasonic exchanges print for every call: Station
// Message Detail Recording. [Framer] cuts a byte stream into lines, [Parser]
// turns one line into one [Record], as printed.
//
// Layouts are those of Panasonic's feature guides: the 80- and 120-column
// patterns A, B and C of KX-TDA, TDE, NCP, NS and NSX, the 80 columns of
// KX-TD, and the looser lines of KX-TA, TEA, TEB, TES and TEM.
//
// The package never looks at a clock, never guesses a date order, never joins
// records into calls, and never loses a byte: what is not a record comes out
// as a frame of another kind with its raw bytes.
package smdr
