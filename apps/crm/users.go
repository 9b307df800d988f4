package crm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"markaz/call"
)

// User is who sits at an extension, as a CRM knows him.
type User struct {
	Extension string `json:"extension"`
	ID        string `json:"id"`             // the CRM's
	Name      string `json:"name,omitempty"` // the CRM's
	Settings  bool   `json:"settings"`       // our settings say so, else the CRM does
}

// UserLister is a Connector whose CRM knows who sits at which extension.
type UserLister interface {
	// Users lists those whom the CRM and the settings know. Extensions are
	// those of the office, for a CRM that can only be asked for one.
	Users(ctx context.Context, extensions []string) ([]User, error)
}

// joinUsers puts what the settings say before what the CRM says.
func joinUsers(settings map[string]int, theirs []User) []User {
	names := map[string]string{}
	for _, u := range theirs {
		names[u.ID] = u.Name
	}
	var out []User
	for extension, id := range settings {
		out = append(out, User{extension, strconv.Itoa(id), names[strconv.Itoa(id)], true})
	}
	for _, u := range theirs {
		if _, ok := settings[u.Extension]; !ok && u.Extension != "" {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b User) int {
		return cmp.Or(cmp.Compare(len(a.Extension), len(b.Extension)), cmp.Compare(a.Extension, b.Extension), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// userMap answers which of the CRM's users sits at an extension, from a list
// that is fetched again now and then; an old one serves when that fails.
type userMap struct {
	list func(context.Context) ([]User, error)
	now  func() time.Time

	mu    sync.Mutex
	users map[string]User // by extension
	at    time.Time
}

// usersKept is how long a list of users is believed.
const usersKept = time.Hour

// find returns the first of the extensions' users that there is.
func (m *userMap) find(ctx context.Context, extensions []string) (User, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users == nil || m.now().Sub(m.at) > usersKept {
		list, err := m.list(ctx)
		switch {
		case err == nil:
			m.at, m.users = m.now(), map[string]User{}
			for _, u := range slices.Backward(list) { // the first of several wins
				m.users[u.Extension] = u
			}
		case m.users == nil:
			return User{}, false, fmt.Errorf("list users: %w", err)
		default:
			m.at = m.now().Add(time.Minute - usersKept) // ask again in a minute
		}
	}
	for _, x := range extensions {
		if u, ok := m.users[x]; ok {
			return u, true, nil
		}
	}
	return User{}, false, nil
}

// responsible are the extensions of the office that a call belongs to, the
// most responsible first: who talked last, the others who talked, who called,
// and those whose phones rang.
func responsible(r call.Call) []string {
	var talked, rang []string
	for i := range r.Legs {
		l := &r.Legs[i]
		if l.Address == "" || l.Role != call.RoleAgent && (l.Role != call.RoleCaller || r.Direction != call.Outbound) {
			continue
		}
		if l.TalkMS > 0 {
			talked = append(talked, l.Address)
		} else {
			rang = append(rang, l.Address)
		}
	}
	slices.Reverse(talked)
	return append(talked, rang...)
}
