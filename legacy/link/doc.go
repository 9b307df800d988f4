// Package link holds the connections to devices: TCP with the log-in of
// Panasonic exchanges, TCP and UDP listeners, serial ports, files. It opens
// them again for as long as it is let, hands on every byte as it came, and
// passes a copy to whoever else wants one. It never interprets a record.
package link
