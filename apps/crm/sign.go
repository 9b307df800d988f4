package crm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// signer signs web hooks by Standard Webhooks 1.0, "Signature scheme": HMAC
// with SHA-256 over id, time and body. With several keys there are as many
// signatures, so that a receiver can change its secret when it likes.
type signer [][]byte

// newSigner reads secrets of the form whsec_<base64 of 24 to 64 bytes>.
func newSigner(secrets []Secret) (signer, error) {
	var keys signer
	for i, s := range secrets {
		text, err := s.Reveal()
		if err != nil {
			return nil, fmt.Errorf("secrets[%d]: %w", i, err)
		}
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
		if err != nil || len(key) < 24 || len(key) > 64 {
			// The decoder's own message would quote from the secret.
			return nil, fmt.Errorf("secrets[%d]: want whsec_ and the base64 of 24 to 64 bytes", i)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("secrets: want at least one")
	}
	return keys, nil
}

// sign sets the three headers for a body sent at that moment.
func (s signer) sign(h http.Header, id string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(s))
	for i, key := range s {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", strings.Join(signatures, " "))
}
