package crm

import (
	"context"
	"crypto/sha1" //nolint:gosec // Odoo keeps this sum of each file; nothing is protected by it
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"markaz/call"
)

const odooTime = "2006-01-02 15:04:05" // in UTC, as Odoo stores it

// odooMaxFile is how many bytes of a recording are uploaded.
const odooMaxFile = 64 << 20

// odooMessageID is the message id (RFC 5322) by which a note is known again.
func odooMessageID(callID string) string { return "<" + callID + "@markaz>" }

// note is what is written into the contact's history, as HTML. All that comes
// from a call is escaped. The address of its recording is another one each time.
func (c *odooConn) note(r call.Call, link bool) string {
	w := c.dep.Words
	lines := []string{c.headline(r)}
	add := func(key string, value string) {
		if value != "" {
			lines = append(lines, w.T(key)+": "+html.EscapeString(value))
		}
	}
	reached := r.Reached
	if r.Direction == call.Outbound {
		reached = r.From
	}
	add("crm.note.extension", strings.TrimSpace(reached+" "+r.Agent))
	add("crm.note.line", line(r, ""))
	if r.Answered != nil {
		add("crm.note.talk", (time.Duration(r.TalkMS) * time.Millisecond).Round(time.Second).String())
	}
	for _, q := range r.Queues {
		add("crm.note.queue", q.Queue+", "+(time.Duration(q.WaitMS)*time.Millisecond).Round(time.Second).String())
	}
	if rec := longest(r.Recordings); rec != nil && link && c.cfg.Recording == "link" && c.dep.Files != nil {
		lines = append(lines, `<a href="`+html.EscapeString(c.dep.Files.Link(*rec, odooLink))+`">`+w.T("crm.note.recording")+`</a>`)
	}
	return "<p>" + strings.Join(lines, "<br/>") + "</p>"
}

// odooLink is how long the address of a recording works, or as long as the
// settings allow.
const odooLink = 365 * 24 * time.Hour

func (c *odooConn) headline(r call.Call) string {
	number := r.From
	if r.Direction == call.Outbound {
		number = r.To
	}
	w := c.dep.Words
	return "<b>" + html.EscapeString(w.T("crm.note."+string(r.Direction), "number", number)) + "</b>: " + html.EscapeString(w.T("crm.result."+string(r.Disposition)))
}

// write makes or changes the note, and what is to be done about a missed call.
func (c *odooConn) write(ctx context.Context, r call.Call, n *odooNote, author User) error {
	fields := map[string]any{
		"model": "res.partner", "res_id": strconv.Itoa(n.Contact), "body": c.note(r, true), "message_type": "comment",
		"subtype_id/id": "mail.mt_note", "date": r.Started.UTC().Format(odooTime), "message_id": odooMessageID(r.ID),
		"subject": c.dep.Words.T("crm.note.subject"),
	}
	if author.ID != "" {
		partner, err := c.partnerOf(ctx, author.ID)
		if err != nil {
			return err
		}
		fields["author_id/.id"] = strconv.Itoa(partner)
	}
	if n.File != "" && c.cfg.Recording != "link" {
		fields["attachment_ids/id"] = "markaz.file_" + n.File
	}
	if _, err := c.api.load(ctx, "mail.message", "call_"+r.ID, fields); err != nil {
		return err
	}
	if !c.cfg.Activity || r.Direction != call.Inbound || !missed(r.Disposition) {
		return nil
	}
	todo := map[string]any{
		"res_model_id/.id": "", "res_id": strconv.Itoa(n.Contact), "activity_type_id/id": "mail.mail_activity_data_call",
		"summary": c.dep.Words.T("crm.note.callback", "number", r.From), "date_deadline": r.Started.UTC().Format(time.DateOnly),
	}
	if author.ID != "" {
		todo["user_id/.id"] = author.ID
	}
	model, err := c.api.modelID(ctx, "res.partner")
	if err != nil {
		return err
	}
	todo["res_model_id/.id"] = strconv.Itoa(model)
	_, err = c.api.load(ctx, "mail.activity", "todo_"+r.ID, todo)
	return err
}

// missed reports a caller who wanted somebody and reached nobody.
func missed(d call.Disposition) bool {
	switch d {
	case call.Missed, call.AbandonedQueue, call.AbandonedRinging, call.CallLost:
		return true
	}
	return false
}

// partnerOf is the contact that every user of Odoo is.
func (c *odooConn) partnerOf(ctx context.Context, user string) (int, error) {
	id, err := strconv.Atoi(user)
	if err != nil {
		return 0, fmt.Errorf("%w: user %q is no number", ErrPermanent, user)
	}
	var found []struct {
		Partner []any `json:"partner_id"`
	}
	if err := c.api.do(ctx, "res.users", "read", []any{[]int{id}}, map[string]any{"fields": []string{"partner_id"}}, &found); err != nil {
		return 0, err
	}
	if len(found) == 1 && len(found[0].Partner) == 2 {
		if partner, ok := found[0].Partner[0].(float64); ok {
			return int(partner), nil
		}
	}
	return 0, &Problem{"user", fmt.Errorf("users: Odoo has no user %d", id)}
}

// attach uploads a recording, and looks whether Odoo has the same bytes.
func (c *odooConn) attach(ctx context.Context, rec call.Recording, contact int) error {
	f, err := c.dep.Files.Open(rec)
	if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, odooMaxFile+1))
	if err != nil {
		return fmt.Errorf("read recording: %w", err)
	}
	if len(content) > odooMaxFile {
		return fmt.Errorf("%w: recording is longer than %d bytes; use recording: link", ErrPermanent, odooMaxFile)
	}
	id, err := c.api.load(ctx, "ir.attachment", "file_"+rec.ID, map[string]any{
		"name": path.Base(rec.File), "datas": base64.StdEncoding.EncodeToString(content), "mimetype": "audio/wav",
		"res_model": "res.partner", "res_id": strconv.Itoa(contact),
	})
	if err != nil {
		return err
	}
	var have []struct {
		Sum odooText `json:"checksum"`
	}
	if err := c.api.do(ctx, "ir.attachment", "read", []any{[]int{id}}, map[string]any{"fields": []string{"checksum"}}, &have); err != nil {
		return err
	}
	if sum := sha1.Sum(content); len(have) != 1 || string(have[0].Sum) != hex.EncodeToString(sum[:]) {
		return errors.New("Odoo took the recording but does not have it")
	}
	return nil
}
