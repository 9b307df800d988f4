package crm

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"
)

// The vector is that of the reference libraries of Standard Webhooks
// (libraries/go/webhook_test.go, TestWebhookSign).
func TestSignatureVector(t *testing.T) {
	s, err := newSigner([]Secret{NewSecret(secretA)})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	s.sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got := h.Get("webhook-signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", got)
	}
	if h.Get("webhook-timestamp") != "1614265330" || h.Get("webhook-id") != "msg_p5jXN8AQM9LWM0D4loKWxJek" {
		t.Errorf("headers %v", h)
	}
}

// Ensure the published library accepts what we sign, with either of two
// secrets, and nothing that was changed on the way.
func TestSignatureAgainstThePublishedLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := func(label string) string {
			return "whsec_" + base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 24, 64).Draw(t, label))
		}
		newer, older := key("new"), key("old")
		s, err := newSigner([]Secret{NewSecret(newer), NewSecret(older)})
		if err != nil {
			t.Fatal(err)
		}
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		id := rapid.StringMatching(`[A-Za-z0-9_-]{1,40}`).Draw(t, "id")
		h := http.Header{}
		s.sign(h, id, time.Now(), body)
		for _, secret := range []string{newer, older} {
			v, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Verify(body, h); err != nil {
				t.Fatal(err)
			}
			if v.Verify(append(body, '!'), h) == nil {
				t.Fatal("a changed body was accepted")
			}
		}
	})
}

func TestSecretsForSigning(t *testing.T) {
	b64 := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, bad := range []string{b64(23), b64(65), "whsec_?", "", "env:MARKAZ_NO_SUCH_SECRET"} {
		_, err := newSigner([]Secret{NewSecret(b64(24)), NewSecret(bad)})
		if err == nil || !strings.HasPrefix(err.Error(), "secrets[1]: ") {
			t.Errorf("%q: %v", bad, err)
		}
		if err != nil && len(bad) > 20 && strings.Contains(err.Error(), strings.TrimPrefix(bad, "whsec_")) && !strings.HasPrefix(bad, "env:") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
	if _, err := newSigner([]Secret{NewSecret(b64(24)), NewSecret(b64(64))}); err != nil {
		t.Error(err)
	}
	if _, err := newSigner(nil); err == nil {
		t.Error("no secret at all was accepted")
	}
}
