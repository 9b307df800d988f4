package crm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"markaz/call"
)

// Odoo is a sink for the business software of that name, from version 14 on,
// by its JSON-RPC interface ("External API" in Odoo's developer documentation).
// A call that has ended becomes a note in the history of the contact who has
// the number, written by the user who talked, with the recording attached. The
// notes, contacts and files that Markaz makes bear external ids of the module
// "markaz", so that Odoo itself keeps a repetition from making a second one.
// Odoo shows nothing while the phone rings: that takes a module inside it.
// Internal calls belong to no contact and are not told.
type Odoo struct {
	URL      string `yaml:"url"`      // https://company.odoo.com
	Database string `yaml:"database"` //
	Login    string `yaml:"login"`    // of a user of Odoo who may make contacts
	Password Secret `yaml:"password"` // or an API key

	Users     map[string]int `yaml:"users"`     // extension: user id; others are found by the phone number of the user
	Unknown   string         `yaml:"unknown"`   // numbers that nobody has: common (default: all on one contact), contact (a new one), skip
	Activity  bool           `yaml:"activity"`  // a missed call is also something to be done for whom it was for
	Recording string         `yaml:"recording"` // upload (default), link, or off
	Net       `yaml:",inline"`
}

func (o *Odoo) faults() []error {
	out := o.Net.faults("url", o.URL)
	if o.Database == "" {
		out = append(out, errors.New("database: is missing"))
	}
	if o.Login == "" || !o.Password.Set() {
		out = append(out, errors.New("login: login and password are missing"))
	}
	if !slices.Contains([]string{"", "common", "contact", "skip"}, o.Unknown) {
		out = append(out, fmt.Errorf("unknown: want common, contact or skip, have %q", o.Unknown))
	}
	if !slices.Contains([]string{"", "upload", "link", "off"}, o.Recording) {
		out = append(out, fmt.Errorf("recording: want upload, link or off, have %q", o.Recording))
	}
	for extension, id := range o.Users {
		if id <= 0 {
			out = append(out, fmt.Errorf("users: want the id of a user of Odoo for %s, have %d", extension, id))
		}
	}
	return out
}

func (o *Odoo) connect(dep Deps) (Connector, error) {
	if dep.Notes == nil {
		return nil, errors.New("odoo needs notes")
	}
	api, err := newOdooAPI(o, dep.Now)
	if err != nil {
		return nil, err
	}
	c := &odooConn{cfg: *o, api: api, dep: dep}
	c.users = &userMap{now: dep.Now, list: func(ctx context.Context) ([]User, error) { return c.Users(ctx, nil) }}
	return c, nil
}

type odooConn struct {
	cfg   Odoo
	api   *odooAPI
	dep   Deps
	users *userMap
}

// odooNote is what must be remembered of a call.
type odooNote struct {
	Contact int    `json:"contact,omitempty"`
	Told    string `json:"told,omitempty"` // what the note in Odoo says
	File    string `json:"file,omitempty"` // recording that is attached
}

// Caps implements [Connector].
func (c *odooConn) Caps() []Cap {
	caps := []Cap{LookUp, UserList, Reconcile}
	if c.cfg.Recording != "off" {
		caps = append(caps, Recordings)
	}
	return caps
}

// Test implements [Connector]: the log-in, and the rights to read and write
// what will be.
func (c *odooConn) Test(ctx context.Context) error {
	for _, right := range [][2]string{{"res.partner", "create"}, {"mail.message", "create"}, {"ir.attachment", "create"}, {"res.users", "read"}} {
		var ok bool
		if err := c.api.do(ctx, right[0], "check_access_rights", []any{right[1], false}, nil, &ok); err != nil {
			return err
		}
		if !ok {
			return &Problem{"permissions", fmt.Errorf("login: the user %s may not %s %s in Odoo", c.cfg.Login, right[1], right[0])}
		}
	}
	return nil
}

// Deliver implements [Connector].
func (c *odooConn) Deliver(ctx context.Context, e call.Event, r call.Call) error {
	if e.Call == "" || !r.Over() || r.MergedInto != "" || r.Direction == call.Internal {
		return ErrSkip
	}
	key := c.key(r.ID)
	n, err := readNote[odooNote](ctx, c.dep.Notes, key)
	if err != nil {
		return err
	}
	before := n
	err = c.tell(ctx, r, &n)
	if n != before {
		return errors.Join(writeNote(ctx, c.dep.Notes, key, n), err)
	}
	if err == nil {
		return ErrSkip
	}
	return err
}

func (c *odooConn) key(callID string) string { return "odoo:" + c.dep.Sink + ":" + callID }

func (c *odooConn) tell(ctx context.Context, r call.Call, n *odooNote) error {
	if n.Contact == 0 {
		id, err := c.contact(ctx, r)
		if err != nil || id == 0 {
			return err
		}
		n.Contact = id
	}
	author, _, err := c.users.find(ctx, responsible(r))
	if err != nil {
		return err
	}
	rec := longest(r.Recordings)
	if rec != nil && rec.ID != n.File && c.cfg.Recording != "off" && c.cfg.Recording != "link" && c.dep.Files != nil {
		if err := c.attach(ctx, *rec, n.Contact); err != nil {
			return err
		}
		n.File = rec.ID
	}
	if rec != nil && c.cfg.Recording == "link" && c.dep.Files != nil {
		n.File = rec.ID
	}
	if told := fmt.Sprint(author.ID, c.note(r, false), n.File); told != n.Told {
		if err := c.write(ctx, r, n, author); err != nil {
			return err
		}
		n.Told = told
	}
	return nil
}

// odooContact is what is read of a contact.
type odooContact struct {
	ID     int      `json:"id"`
	Name   string   `json:"display_name"`
	Phone  odooText `json:"phone"`
	Mobile odooText `json:"mobile"`
}

// contact finds who has the number, or who stands for those that nobody has; 0
// if the call is not to be told.
func (c *odooConn) contact(ctx context.Context, r call.Call) (int, error) {
	number, e164 := outside(&r)
	if e164 != "" {
		number = e164
	}
	found, err := c.search(ctx, number)
	if err != nil || found.ID != 0 || c.cfg.Unknown == "skip" {
		return found.ID, err
	}
	if c.cfg.Unknown == "contact" && digits(number) >= shortestNumber {
		return c.api.load(ctx, "res.partner", "caller_"+onlyDigits(number), map[string]any{"name": number, "phone": number})
	}
	return c.api.load(ctx, "res.partner", "unknown_callers", map[string]any{"name": c.dep.Words.T("crm.odoo.unknown")})
}

// search finds a contact by a number, however it is written there.
func (c *odooConn) search(ctx context.Context, number string) (odooContact, error) {
	want := onlyDigits(number)
	if len(want) < shortestNumber {
		return odooContact{}, nil
	}
	fields, err := c.api.phoneFields(ctx)
	if err != nil {
		return odooContact{}, err
	}
	// A pattern with anything between the last digits, which begins in the
	// middle of the number: with or without its prefix.
	tail := want[max(0, len(want)-9):]
	pattern := "%" + strings.Join(strings.Split(tail, ""), "%") + "%"
	domain := []any{}
	for i, f := range fields {
		if i > 0 {
			domain = append([]any{"|"}, domain...)
		}
		domain = append(domain, []any{f, "=ilike", pattern})
	}
	var found []odooContact
	options := map[string]any{"fields": append([]string{"display_name"}, fields...), "limit": 40, "order": "id"}
	if err := c.api.do(ctx, "res.partner", "search_read", []any{domain}, options, &found); err != nil {
		return odooContact{}, err
	}
	for _, same := range []func(string) bool{
		func(have string) bool { return have == want },
		func(have string) bool { return sameNumber(have, want) },
	} {
		for _, x := range found {
			if same(onlyDigits(string(x.Phone))) || same(onlyDigits(string(x.Mobile))) {
				return x, nil
			}
		}
	}
	return odooContact{}, nil
}

// sameNumber compares digits with and without country code and leading zeros.
func sameNumber(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(a) >= 7 && strings.HasSuffix(b, a)
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
}

// Find implements [Finder].
func (c *odooConn) Find(ctx context.Context, number string) (id, name string, err error) {
	found, err := c.search(ctx, number)
	if err != nil || found.ID == 0 {
		return "", "", err
	}
	return "res.partner:" + strconv.Itoa(found.ID), found.Name, nil
}

// Users implements [UserLister]. Who has an extension as his phone number in
// Odoo sits there.
func (c *odooConn) Users(ctx context.Context, _ []string) ([]User, error) {
	fields, err := c.api.phoneFields(ctx)
	if err != nil {
		return nil, err
	}
	var found []struct {
		ID     int      `json:"id"`
		Name   string   `json:"name"`
		Phone  odooText `json:"phone"`
		Mobile odooText `json:"mobile"`
	}
	options := map[string]any{"fields": append([]string{"name"}, fields...), "order": "id"}
	domain := []any{[]any{"share", "=", false}}
	if err := c.api.do(ctx, "res.users", "search_read", []any{domain}, options, &found); err != nil {
		return nil, err
	}
	var theirs []User
	for _, u := range found {
		for _, number := range []odooText{u.Phone, u.Mobile} {
			if x := strings.TrimSpace(string(number)); x != "" {
				theirs = append(theirs, User{Extension: x, ID: strconv.Itoa(u.ID), Name: u.Name})
			}
		}
		if u.Phone == "" && u.Mobile == "" {
			theirs = append(theirs, User{ID: strconv.Itoa(u.ID), Name: u.Name})
		}
	}
	return joinUsers(c.cfg.Users, theirs), nil
}
