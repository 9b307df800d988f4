package history

import (
	"context"
	"fmt"
	"time"

	"markaz/call"
)

// Listen is one use of a recording by a person.
type Listen struct {
	At        time.Time `json:"at"`
	Call      string    `json:"call"`
	Recording string    `json:"recording"`
	Who       string    `json:"who"`
	Place     string    `json:"place,omitempty"` // network address it came from
	How       string    `json:"how"`             // play, download
}

// Heard writes down that somebody has listened to a recording. It returns when
// that is on the disk.
func (s *Store) Heard(ctx context.Context, l Listen) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO listened (at, call, recording, who, place, how) VALUES (?, ?, ?, ?, ?, ?)`,
		l.At.UnixMicro(), call.Clean(l.Call, 64), call.Clean(l.Recording, 128), call.Clean(l.Who, 128), call.Clean(l.Place, 64), call.Clean(l.How, 16))
	if err != nil {
		return fmt.Errorf("write who has listened: %w", err)
	}
	return nil
}

// Listened lists who has listened to the recordings of a call, the latest
// first, 1,000 at most.
func (s *Store) Listened(ctx context.Context, callID string) ([]Listen, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT at, call, recording, who, place, how FROM listened WHERE call = ? ORDER BY n DESC LIMIT 1000`, callID)
	if err != nil {
		return nil, fmt.Errorf("read who has listened: %w", err)
	}
	defer rows.Close()
	var out []Listen
	for rows.Next() {
		var l Listen
		var at int64
		if err := rows.Scan(&at, &l.Call, &l.Recording, &l.Who, &l.Place, &l.How); err != nil {
			return nil, fmt.Errorf("read who has listened: %w", err)
		}
		l.At = time.UnixMicro(at).UTC()
		out = append(out, l)
	}
	return out, rows.Err()
}
