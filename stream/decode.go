package stream

import (
	"encoding/json"
	"fmt"

	"markaz/call"
)

func decode(raw []byte) (call.Event, error) {
	var e call.Event
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, fmt.Errorf("decode event: %w", err)
	}
	return e, nil
}
