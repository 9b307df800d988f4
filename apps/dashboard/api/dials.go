package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
	"markaz/call"
)

type dialIn struct {
	Key  string `header:"Idempotency-Key" maxLength:"200" doc:"Of this call alone: a request that is sent again with it calls nobody again, for a day"`
	Body struct {
		To        string `json:"to" minLength:"1" maxLength:"64" doc:"The number, as a person would dial it" example:"+982112345678"`
		Extension string `json:"extension,omitempty" maxLength:"32" pattern:"^[0-9A-Za-z*#]*$" doc:"The phone that rings first; without it your own"`
		CallerID  string `json:"caller_id,omitempty" maxLength:"32" pattern:"^[+0-9]*$" doc:"The number to be shown; without it the usual one"`
	}
}

func (a *API) declareDials() {
	add(a, access.Dial, huma.Operation{
		OperationID: "dial", Method: http.MethodPost, Path: "/v1/dials", DefaultStatus: http.StatusAccepted,
		Summary:     "Click to call: a phone rings, then the number is dialled",
		Description: "Rules on numbers, hours and rates may refuse the number; the stream of events tells why.",
		Errors:      []int{409},
	}, a.dial)
}

// repeated is a request with an Idempotency-Key that was taken.
type repeated struct {
	body [sha256.Size]byte
	ref  string
	at   time.Time
}

const (
	keyLife = 24 * time.Hour
	maxKeys = 20_000
)

func (a *API) dial(ctx context.Context, v *visit, in *dialIn) (*accepted, error) {
	ask := in.Body
	phone, err := v.phone(ctx, ask.Extension)
	if err != nil {
		return nil, err
	}
	if err := v.need(ctx, access.Dial, access.OfExtension(phone), phone); err != nil {
		return nil, err
	}
	to := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -().\u00a0\u202a\u202c\u200e", r) {
			return -1
		}
		return western(r)
	}, ask.To)
	if digits := strings.TrimPrefix(to, "+"); digits == "" || strings.Trim(digits, "0123456789*#") != "" || len(to) > 32 {
		return nil, fail(http.StatusUnprocessableEntity, "E4223", "to: a telephone number has only digits, * and #, and perhaps a + before them.")
	}
	ref, again, err := a.once(v.user.Name, in.Key, strings.Join([]string{to, phone, ask.CallerID}, "\x00"))
	if err != nil || again {
		return &accepted{Status: http.StatusAccepted, Body: acceptedBody{Request: ref}}, err
	}
	if err := v.record(ctx, to, "", "from "+phone); err != nil {
		a.forget(v.user.Name, in.Key)
		return nil, err
	}
	out, err := v.post(ctx, call.Event{Kind: call.DialAsked, Ref: ref, Agent: v.user.Name, Address: phone, To: to, From: ask.CallerID})
	if err != nil {
		a.forget(v.user.Name, in.Key)
	}
	return out, err
}

// western makes the digits of Persian and Arabic writing such as dials know.
func western(r rune) rune {
	switch {
	case r >= '۰' && r <= '۹':
		return r - '۰' + '0'
	case r >= '٠' && r <= '٩':
		return r - '٠' + '0'
	}
	return r
}

// once gives a request its id, the same one to the same request under the same
// key, and tells whether it was taken before. The id is made of the key, so
// that whoever serves the request knows a repeat even after a restart.
func (a *API) once(user, key, body string) (ref string, again bool, err error) {
	if key == "" {
		return a.dep.NewID(), false, nil
	}
	now := a.dep.Now()
	sum := sha256.Sum256([]byte(body))
	name := user + "\x00" + key
	a.mu.Lock()
	defer a.mu.Unlock()
	if r, ok := a.repeat[name]; ok && now.Sub(r.at) < keyLife {
		if r.body != sum {
			return "", false, fail(http.StatusConflict, "E4090", "This Idempotency-Key was used for another request.")
		}
		return r.ref, true, nil
	}
	if len(a.repeat) >= maxKeys {
		for k, r := range a.repeat {
			if now.Sub(r.at) >= keyLife {
				delete(a.repeat, k)
			}
		}
		if len(a.repeat) >= maxKeys {
			return "", false, fail(http.StatusServiceUnavailable, "E5035", "Too many requests are remembered; try again later.")
		}
	}
	id := sha256.Sum256([]byte(name))
	ref = "k" + hex.EncodeToString(id[:15])
	a.repeat[name] = repeated{sum, ref, now}
	return ref, false, nil
}

func (a *API) forget(user, key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.repeat, user+"\x00"+key)
}
