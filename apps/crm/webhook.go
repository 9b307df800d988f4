package crm

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"markaz/call"
)

// Webhook is a sink for any program: each event is one signed POST, an
// [Envelope] as CloudEvents 1.0 wants it, inside the headers of Standard
// Webhooks 1.0 (webhook-id, webhook-timestamp, webhook-signature).
type Webhook struct {
	URL     string        `yaml:"url"`
	Secrets []Secret      `yaml:"secrets"`         // whsec_…; all of them sign, so that a receiver can change over
	Thin    bool          `yaml:"thin"`            // send ids and times only, no numbers, names or records
	Links   time.Duration `yaml:"recording_links"` // how long the address of a recording in call.ended and call.amended works; 0: none is sent
	Net     `yaml:",inline"`
}

func (w *Webhook) faults() []error {
	out := w.Net.faults("url", w.URL)
	if w.Links < 0 {
		out = append(out, fmt.Errorf("recording_links: is negative"))
	}
	if _, err := newSigner(w.Secrets); err != nil {
		out = append(out, err)
	}
	return out
}

func (w *Webhook) connect(dep Deps) (Connector, error) {
	signer, err := newSigner(w.Secrets)
	if err != nil {
		return nil, err
	}
	web, err := newWeb(w.Net)
	if err != nil {
		return nil, err
	}
	return &webhook{url: w.URL, thin: w.Thin, links: w.Links, files: dep.Files, signer: signer, web: web, now: dep.Now}, nil
}

type webhook struct {
	url    string
	thin   bool
	links  time.Duration
	files  Files
	signer signer
	web    *web
	now    func() time.Time
}

// Caps implements [Connector].
func (*webhook) Caps() []Cap { return []Cap{Live, Recordings} }

// Test sends an event of the kind test, which belongs to no call.
func (h *webhook) Test(ctx context.Context) error {
	now := h.now().UTC()
	e := call.Event{
		V: call.Schema, Kind: "test", Source: "test", At: now, SeenAt: now, Live: true,
		ID: fmt.Sprintf("test-%d", now.UnixNano()),
	}
	return h.Deliver(ctx, e, call.Call{})
}

// Deliver implements [Connector]. Any 2xx is success; the rest of the answer
// does not matter.
func (h *webhook) Deliver(ctx context.Context, e call.Event, record call.Call) error {
	if !printable(e.ID) {
		return fmt.Errorf("%w: event id %q cannot be a header", ErrPermanent, e.ID)
	}
	body, err := envelop(e, record, h.thin, h.link(record))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: make request: %w", ErrPermanent, err)
	}
	now := h.now()
	req.Header.Set("Content-Type", ContentType)
	h.signer.sign(req.Header, e.ID, now, body)
	a, err := h.web.do(req)
	if err != nil {
		return err
	}
	if a.status < 200 || a.status > 299 {
		return h.web.failure(a, now)
	}
	return nil
}

// link is the address of the longest recording, "" if there is none.
func (h *webhook) link(record call.Call) string {
	rec := longest(record.Recordings)
	if rec == nil || h.links == 0 || h.files == nil || !record.Over() {
		return ""
	}
	return h.files.Link(*rec, h.links)
}

func printable(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return id != ""
}
