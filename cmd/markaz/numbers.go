package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"markaz/call/number"
)

// officeNumbers reads numbers as they are written at the PBX.
type officeNumbers struct {
	reader *number.Reader
	agents map[string]bool // extensions
	digits []int           // that extensions have
}

func newOfficeNumbers(cfg *config) (officeNumbers, error) {
	reader, err := number.New(cfg.Numbers)
	if err != nil {
		return officeNumbers{}, fmt.Errorf("numbers: %w", err)
	}
	o := officeNumbers{reader, map[string]bool{}, cfg.Dialplan.Digits}
	for _, a := range cfg.Floor.Agents {
		o.agents[a.Extension] = true
	}
	return o, nil
}

// Caller implements apps.Numbers.
func (o officeNumbers) Caller(n string) string { return o.e164(n, o.reader.Caller) }

// Dialled implements apps.Numbers.
func (o officeNumbers) Dialled(n string) string { return o.e164(n, o.reader.Dialled) }

func (o officeNumbers) e164(n string, read func(string) number.Number) string {
	if o.Office(n) || strings.ContainsFunc(n, aside) {
		return ""
	}
	return read(n).E164
}

// aside tells what stands in a name or an address: SIP lets anybody write
// anything, and the digits that are left of it are nobody's number.
func aside(r rune) bool { return unicode.IsLetter(r) || strings.ContainsRune("=@:;_", r) }

// Outside implements clicktocall.Numbers.
func (o officeNumbers) Outside(written string) (e164, shown, dial string, ok bool) {
	n, dial, ok := o.reader.Outside(written)
	return n.E164, n.Shown, dial, ok
}

// local writes an international number as it is dialled here, "" if it cannot.
func (o officeNumbers) local(e164 string) string {
	number, _ := o.reader.Local(e164)
	return number
}

// Office implements clicktocall.Numbers.
func (o officeNumbers) Office(n string) bool {
	return o.agents[n] || slices.Contains(o.digits, len(n)) && strings.Trim(n, "0123456789") == ""
}
