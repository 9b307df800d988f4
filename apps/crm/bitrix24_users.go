package crm

import (
	"context"
	"fmt"
	"slices"
	"time"

	"markaz/call"
)

// viewers are the users whose phones ring or who talk, each once, however many
// phones he has.
func (c *bitrix24conn) viewers(ctx context.Context, r call.Call) ([]int, error) {
	var out []int
	for i := range r.Legs {
		l := &r.Legs[i]
		if l.Ended != nil || !b24Ours(r, l) {
			continue
		}
		id, err := c.user(ctx, l.Address)
		if err != nil {
			return nil, err
		}
		if id != 0 && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// responsible is the user who talked last, else the first whose phone rang,
// else the one of the settings.
func (c *bitrix24conn) responsible(ctx context.Context, r call.Call) (int, error) {
	user, talked := 0, false
	for i := range r.Legs {
		l := &r.Legs[i]
		if !b24Ours(r, l) || user != 0 && l.TalkMS == 0 {
			continue
		}
		id, err := c.user(ctx, l.Address)
		if err != nil {
			return 0, err
		}
		if id != 0 && (user == 0 || l.TalkMS > 0 || !talked) {
			user, talked = id, l.TalkMS > 0
		}
	}
	if user == 0 {
		user = c.cfg.DefaultUser
	}
	return user, nil
}

// user returns the user of an extension, 0 if there is none.
func (c *bitrix24conn) user(ctx context.Context, extension string) (int, error) {
	if id, ok := c.cfg.Users[extension]; ok {
		return id, nil
	}
	c.mu.Lock()
	known, ok := c.users[extension]
	c.mu.Unlock()
	now := c.dep.Now()
	if ok && now.Sub(known.at) < time.Hour {
		return known.id, nil
	}
	var found []struct {
		ID b24Int `json:"ID"`
	}
	filter := map[string]any{"UF_PHONE_INNER": extension, "ACTIVE": true}
	if err := c.api.call(ctx, b24Cmd{"user", "user.get", map[string]any{"FILTER": filter}}, &found); err != nil {
		return 0, err
	}
	known = b24User{at: now}
	if len(found) > 0 {
		known.id = int(found[0].ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users[extension] = known
	return known.id, nil
}

// b24Ours reports a leg of somebody of the office: the agents, and the caller
// of an outgoing call.
func b24Ours(r call.Call, l *call.Leg) bool {
	return l.Address != "" && (l.Role == call.RoleAgent || l.Role == call.RoleCaller && r.Direction == call.Outbound)
}

// extension returns the extension of a user.
func (c *bitrix24conn) extension(ctx context.Context, user int) (string, error) {
	for extension, id := range c.cfg.Users {
		if id == user {
			return extension, nil
		}
	}
	var found []struct {
		Extension string `json:"UF_PHONE_INNER"`
	}
	filter := map[string]any{"FILTER": map[string]any{"ID": user}}
	if err := c.api.call(ctx, b24Cmd{"user", "user.get", filter}, &found); err != nil {
		return "", err
	}
	if len(found) == 0 || found[0].Extension == "" {
		return "", fmt.Errorf("user %d has no internal number in Bitrix24", user)
	}
	return found[0].Extension, nil
}

// Find implements [Finder].
func (c *bitrix24conn) Find(ctx context.Context, number string) (id, name string, err error) {
	var found []struct {
		Type string `json:"CRM_ENTITY_TYPE"`
		ID   b24Int `json:"CRM_ENTITY_ID"`
		Name string `json:"NAME"`
	}
	params := map[string]any{"PHONE_NUMBER": number}
	err = c.api.call(ctx, b24Cmd{"find", "telephony.externalCall.searchCrmEntities", params}, &found)
	if err != nil || len(found) == 0 {
		return "", "", err
	}
	return fmt.Sprintf("%s:%d", found[0].Type, found[0].ID), found[0].Name, nil
}
