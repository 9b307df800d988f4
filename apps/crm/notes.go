package crm

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
)

// readNote reads what was noted as JSON under a key; the zero value if nothing
// was. That notes cannot be reached is nobody's fault and no try.
func readNote[T any](ctx context.Context, n Notes, key string) (T, error) {
	var v T
	text, err := n.Note(ctx, key)
	if err != nil {
		return v, RetryAfter(fmt.Errorf("read note: %w", err), firstProbe)
	}
	if text == "" {
		return v, nil
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, fmt.Errorf("decode note %s: %w", key, err)
	}
	return v, nil
}

func writeNote(ctx context.Context, n Notes, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode note %s: %w", key, err)
	}
	if err := n.PutNote(ctx, key, string(b)); err != nil {
		return RetryAfter(fmt.Errorf("write note: %w", err), firstProbe)
	}
	return nil
}

// MemoryNotes are notes that a restart forgets: for tests, and for trying a
// connector out. The zero value is ready.
type MemoryNotes struct {
	mu    sync.Mutex
	notes map[string]string
}

// Note implements [Notes].
func (m *MemoryNotes) Note(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notes[key], nil
}

// PutNote implements [Notes].
func (m *MemoryNotes) PutNote(_ context.Context, key, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.notes == nil {
		m.notes = map[string]string{}
	}
	m.notes[key] = value
	return nil
}
