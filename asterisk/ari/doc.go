// Package ari is the connection to Asterisk's REST interface: commands over
// HTTP, events over a WebSocket, and a supervisor that keeps both alive. It
// takes event and data structures from CyCoreSystems/ari and does the carrying
// itself, because that library's client has no time-outs and drops events.
//
// It knows channels, bridges and playbacks; it never knows a call, a queue or
// an agent, and it never decides what to do with a channel.
package ari
