package hooktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"markaz/call"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// message is a good web hook, to be spoilt.
type message struct {
	key    string
	age    time.Duration
	env    map[string]any
	header map[string]string
}

func good(seq int) *message {
	id := fmt.Sprintf("e%d", seq)
	e := call.Event{V: 1, ID: id, Kind: call.LegRinging, Source: "pbx", Call: "c", Seq: uint64(seq), At: time.Unix(1774081800, 0).UTC()}
	return &message{key: secret, header: map[string]string{"webhook-id": id}, env: map[string]any{
		"specversion": "1.0", "id": id, "source": "markaz/pbx", "type": "org.markaz.leg.ringing.v1", "subject": "c",
		"time": e.At, "datacontenttype": "application/json", "dataschema": "urn:x", "sequence": fmt.Sprintf("%010d", seq),
		"data": map[string]any{"event": e},
	}}
}

func (m *message) send(t *testing.T, r *Receiver) int {
	t.Helper()
	body, err := json.Marshal(m.env)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := standardwebhooks.NewWebhook(m.key)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-m.age)
	signature, err := signer.Sign(m.header["webhook-id"], at, body)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
	req.Header.Set("webhook-signature", signature)
	for k, v := range m.header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	return rec.Code
}

// Ensure the receiver sees each breach of the contract, and none in what is
// right.
func TestReceiverComplains(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*message)
		want  int
	}{
		"nothing":          {func(*message) {}, 204},
		"another secret":   {func(m *message) { m.key = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }, 401},
		"an old signature": {func(m *message) { m.age = time.Hour }, 401},
		"no signature":     {func(m *message) { m.header["webhook-signature"] = "" }, 401},
		"media type":       {func(m *message) { m.header["Content-Type"] = "application/json" }, 400},
		"another id":       {func(m *message) { m.env["id"] = "e9" }, 400},
		"no type":          {func(m *message) { delete(m.env, "type") }, 400},
		"another source":   {func(m *message) { m.env["source"] = "markaz/old" }, 400},
		"another call":     {func(m *message) { m.env["subject"] = "d" }, 400},
		"no sequence":      {func(m *message) { delete(m.env, "sequence") }, 400},
		"no data":          {func(m *message) { delete(m.env, "data") }, 400},
	} {
		r, err := New(secret)
		if err != nil {
			t.Fatal(err)
		}
		m := good(1)
		tc.spoil(m)
		if got := m.send(t, r); got != tc.want || (len(r.Broken()) == 0) != (tc.want == 204) || (len(r.Events()) == 1) != (tc.want == 204) {
			t.Errorf("%s: answered %d, complains %v", name, got, r.Broken())
		}
	}
}

func TestReceiverKeepsOnceAndInOrder(t *testing.T) {
	r, err := New(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*message{good(1), good(3), good(3)} {
		m.send(t, r)
	}
	if len(r.Events()) != 2 || r.Repeats() != 1 || len(r.Broken()) != 0 {
		t.Errorf("%d kept, %d repeats, complains %v", len(r.Events()), r.Repeats(), r.Broken())
	}
	changed := good(3)
	changed.env["data"].(map[string]any)["more"] = 1
	changed.send(t, r)
	good(2).send(t, r)
	if got := r.Broken(); len(got) != 2 || !strings.Contains(got[0], "another content") || !strings.Contains(got[1], "came after") {
		t.Errorf("complains %v", got)
	}
}
