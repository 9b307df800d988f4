package main

import (
	"markaz/apps/crm"
	"markaz/asterisk"
	"markaz/call"
)

// hands are what the loop's actions are given to: look-ups go to the CRMs, all
// else to the PBX.
type hands struct {
	sw   *asterisk.Switch
	book func() *crm.Phonebook
}

// Do implements apps.Switch.
func (h hands) Do(a call.Action) {
	if a, ok := a.(call.Lookup); ok {
		h.book().Lookup(a)
		return
	}
	h.sw.Do(a)
}
