package crm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"markaz/call"
)

// b24MaxFile is how many bytes of a recording are uploaded.
const b24MaxFile = 64 << 20

// attach gives the row its recording, the longest if there are several, and
// looks whether Bitrix24 has it: it gives a link up after two tries without a
// word.
func (c *bitrix24conn) attach(ctx context.Context, r call.Call, n *b24Call) error {
	rec := longest(r.Recordings)
	if rec == nil || rec.ID == n.Recorded || c.cfg.Recording == "off" || c.dep.Files == nil {
		return nil
	}
	params := map[string]any{"CALL_ID": n.ID, "FILENAME": path.Base(rec.File)}
	if c.cfg.Recording == "link" {
		params["RECORD_URL"] = c.dep.Files.Link(*rec, 24*time.Hour)
	} else {
		content, err := c.read(*rec)
		if err != nil {
			return err
		}
		params["FILE_CONTENT"] = base64.StdEncoding.EncodeToString(content)
	}
	if err := c.api.call(ctx, b24Cmd{"attach", "telephony.externalCall.attachRecord", params}, nil); err != nil {
		return err
	}
	var rows []struct {
		FileID b24Int `json:"RECORD_FILE_ID"`
	}
	check := b24Cmd{"check", "voximplant.statistic.get", map[string]any{"FILTER": map[string]any{"CALL_ID": n.ID}}}
	if err := c.api.call(ctx, check, &rows); err != nil {
		return err
	}
	if len(rows) == 0 || rows[0].FileID == 0 {
		return errors.New("Bitrix24 took the recording but does not have it")
	}
	n.Recorded = rec.ID
	return nil
}

func (c *bitrix24conn) read(rec call.Recording) ([]byte, error) {
	f, err := c.dep.Files.Open(rec)
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, b24MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	if len(content) > b24MaxFile {
		return nil, fmt.Errorf("%w: recording is longer than %d bytes; use recording: link", ErrPermanent, b24MaxFile)
	}
	return content, nil
}
