// Package telsa finds the files that a Telsa line recorder leaves, in either
// of its modes, and says of which line and time each is. What a file is called
// and where it lies is configuration: nothing of it is public. What is in a
// file is read from its header, never from its name.
//
// The package matches a file to a call when there is only one it can be, and
// says so when there are several. It never moves, changes or deletes a file.
package telsa
