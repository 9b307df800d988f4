package bitrix24

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// half is how long a registration is given again for the same key
// (telephony-external-call-register.md, "Features of Re-registration").
const half = 30 * time.Minute

func (p *Portal) register(v values) (any, *refusal) {
	if v.text("USER_ID") == "" && v.text("USER_PHONE_INNER") == "" {
		return nil, refuse(400, "ERROR_CORE", "USER_ID or USER_PHONE_INNER should be set")
	}
	kind := v.number("TYPE")
	if kind < 1 || kind > 5 {
		return nil, refuse(400, "ERROR_CORE", "Unknown TYPE")
	}
	start, ok := p.opt.Now(), true
	if text := v.text("CALL_START_DATE"); text != "" {
		start, ok = isoDate(text)
	}
	if !ok {
		return nil, refuse(400, "ERROR_CORE", "CALL_START_DATE should be in the ISO-8601 format")
	}
	if !regexp.MustCompile(`^\+?[0-9][0-9 ()-]{2,30}$`).MatchString(v.text("PHONE_NUMBER")) {
		return nil, refuse(400, "ERROR_CORE", "Unsupported phone number format")
	}
	user := p.user(v.number("USER_ID"), v.text("USER_PHONE_INNER"))
	if user == nil {
		return nil, refuse(400, "ERROR_CORE", "User is not found or is not active")
	}
	row := Row{
		ExternalID: v.text("EXTERNAL_CALL_ID"), User: user.ID, Number: v.text("PHONE_NUMBER"),
		Line: v.text("LINE_NUMBER"), Type: kind, Start: start,
	}
	c := p.known(row)
	if c == nil {
		c = p.add(row)
		if v.text("SHOW") != "0" {
			c.cards = []int{user.ID}
			p.shown++
		}
	}
	return map[string]any{"CALL_ID": c.CallID, "CRM_CREATED_LEAD": nil, "CRM_CREATED_ENTITIES": []any{}}, nil
}

// known finds a registration of the same call within the half hour. A finished
// one is found too: the documentation does not rule it out, and it is the
// worse case for a connector.
func (p *Portal) known(row Row) *registration {
	for _, id := range p.order {
		c := p.calls[id]
		if p.opt.Now().Sub(c.at) < half && c.Number == row.Number && c.Type == row.Type && c.User == row.User &&
			c.Line == row.Line && c.ExternalID == row.ExternalID {
			return c
		}
	}
	return nil
}

func (p *Portal) add(row Row) *registration {
	row.CallID = fmt.Sprintf("externalCall.%032x.%d", len(p.order)+1, p.opt.Now().Unix())
	c := &registration{Row: row, at: p.opt.Now()}
	p.calls[row.CallID] = c
	p.order = append(p.order, row.CallID)
	return c
}

func (p *Portal) show(v values) any {
	c := p.calls[v.text("CALL_ID")]
	if c == nil || c.finished {
		return false
	}
	users := v.numbers("USER_ID")
	if len(users) == 0 {
		users = []int{c.User}
	}
	for _, u := range users {
		if !slices.Contains(c.cards, u) {
			c.cards = append(c.cards, u)
			p.shown++
		}
	}
	return true
}

func (p *Portal) hide(v values) any {
	c := p.calls[v.text("CALL_ID")]
	if c == nil || c.finished {
		return false
	}
	for _, u := range v.numbers("USER_ID") {
		c.cards = slices.DeleteFunc(c.cards, func(have int) bool { return have == u })
	}
	return true
}

func statuses() []string {
	return []string{"200", "304", "603", "603-S", "403", "404", "486", "484", "503", "480", "402", "423", "OTHER"}
}

func (p *Portal) finish(v values) (any, *refusal) {
	if v.text("CALL_ID") == "" {
		return nil, refuse(400, "INVALID_ARGUMENT", "CALL_ID must be a string")
	}
	if v.text("USER_ID") == "" && v.text("USER_PHONE_INNER") == "" {
		return nil, refuse(400, "ERROR_CORE", "USER_ID or USER_PHONE_INNER should be set")
	}
	c := p.calls[v.text("CALL_ID")]
	if c == nil || c.finished {
		return nil, refuse(400, "ERROR_CORE", "Call is not found (call should be registered prior to finishing)")
	}
	user := p.user(v.number("USER_ID"), v.text("USER_PHONE_INNER"))
	if user == nil {
		return nil, refuse(400, "ERROR_CORE", "User is not found or is not active")
	}
	row := c.Row
	row.User, row.Duration, row.Status, row.Reason = user.ID, v.number("DURATION"), v.text("STATUS_CODE"), v.text("FAILED_REASON")
	if row.Status == "" {
		row.Status = "304"
		if row.Duration > 0 {
			row.Status = "200"
		}
	}
	if !slices.Contains(statuses(), row.Status) {
		return nil, refuse(400, "ERROR_CORE", "Unknown STATUS_CODE")
	}
	c.finished, c.cards = true, nil
	p.rows = append(p.rows, &row)
	return map[string]any{"CALL_ID": row.CallID, "ID": len(p.rows), "CALL_FAILED_CODE": row.Status}, nil
}

func (p *Portal) row(id string) *Row {
	for _, r := range p.rows {
		if r.CallID == id {
			return r
		}
	}
	return nil
}

func (p *Portal) attach(v values) (any, *refusal) {
	name, link := v.text("FILENAME"), v.text("RECORD_URL")
	if name == "" && link == "" {
		return nil, refuse(400, "", "Required parameters are not set. Request should contain either URL or FILENAME parameter")
	}
	row := p.row(v.text("CALL_ID"))
	if row == nil {
		return nil, refuse(400, "", "Call is not found in the statistic table. It looks like it is not finished yet.")
	}
	if ext := path.Ext(name); ext != ".wav" && ext != ".mp3" && name != "" {
		return nil, refuse(400, "ERROR_CORE", "Wrong file extension. Only wav and mp3 are allowed")
	}
	if link != "" {
		// Two tries, then nothing more is said.
		for range 2 {
			if content, ok := fetch(link); ok {
				row.File, row.Content, row.Link = p.file(), content, link
				break
			}
		}
		return map[string]any{"FILE_ID": 1}, nil
	}
	content, err := base64.StdEncoding.DecodeString(v.text("FILE_CONTENT"))
	if err != nil {
		return nil, refuse(400, "ERROR_CORE", "File content is not properly encoded. Base64 encoding is expected.")
	}
	if len(content) == 0 {
		return nil, refuse(400, "ERROR_CORE", "File content is empty.")
	}
	row.File, row.Content = p.file(), string(content)
	return map[string]any{"FILE_ID": row.File}, nil
}

func (p *Portal) file() int {
	p.serial++
	return 9000 + p.serial
}

func fetch(link string) (string, bool) {
	res, err := http.Get(link)
	if err != nil {
		return "", false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err == nil && res.StatusCode == 200
}

func (p *Portal) statistics(filter values) []any {
	out := []any{}
	for i, r := range p.rows {
		if id := filter.text("CALL_ID"); id != "" && id != r.CallID {
			continue
		}
		if id := filter.text("EXTERNAL_CALL_ID"); id != "" && id != r.ExternalID {
			continue
		}
		if from, ok := isoDate(filter.text(">=CALL_START_DATE")); ok && r.Start.Before(from) {
			continue
		}
		if to, ok := isoDate(filter.text("<CALL_START_DATE")); ok && !r.Start.Before(to) {
			continue
		}
		var file any
		if r.File != 0 {
			file = r.File
		}
		out = append(out, map[string]any{
			"ID": strconv.Itoa(i + 1), "CALL_ID": r.CallID, "EXTERNAL_CALL_ID": r.ExternalID,
			"PORTAL_USER_ID": strconv.Itoa(r.User), "PHONE_NUMBER": strings.TrimPrefix(r.Number, "+"),
			"CALL_DURATION": strconv.Itoa(r.Duration), "CALL_FAILED_CODE": r.Status, "RECORD_FILE_ID": file,
			"CALL_START_DATE": r.Start.Format(time.RFC3339),
		})
	}
	return out
}
