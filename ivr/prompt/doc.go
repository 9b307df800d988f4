// Package prompt makes the sounds that callers hear: texts through a speech
// program, and tones by a generator of its own, as files that the PBX can play
// (WAV, 8 kHz, mono, 16 bit). A file is made once and kept under a name that
// is a hash of all that went into it.
//
// The package runs programs and writes files, so the pure rooms never see it:
// it satisfies their small interfaces, and only cmd joins the two. What a call
// asks for while it runs is answered from memory, without disk or process. No
// shell is ever involved.
package prompt
