// Package asterisk is the telephony adapter: what happens on an Asterisk
// server comes out as call events, and call actions go in. Callers reach it
// by FastAGI or by Stasis (ARI); everything else is done over ARI.
//
// Only here are channels, bridges, Stasis and the other words of Asterisk
// known. The package decides nothing about a call: it reports and carries
// out, and each failure to carry out is reported too.
package asterisk
