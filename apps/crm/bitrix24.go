package crm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"markaz/call"
)

// Bitrix24 is a sink for the CRM of that name, by its telephony methods
// (api-reference/telephony in Bitrix24's REST documentation): a call is
// registered once, when the first person's phone rings; its card is shown to
// whoever rings or talks and hidden from the others; it is finished once, which
// makes the one row in Bitrix24's statistics; and its recording is attached and
// read back. Internal calls and callers without a number have no place there.
type Bitrix24 struct {
	URL string `yaml:"url"` // https://company.bitrix24.com

	// A local application, the documented way. It installs itself when Handler
	// is given as its installation address; otherwise RefreshToken is needed.
	ClientID         string `yaml:"client_id"`
	ClientSecret     Secret `yaml:"client_secret"`
	RefreshToken     Secret `yaml:"refresh_token"`
	ApplicationToken Secret `yaml:"application_token"` // proves click-to-call requests; comes with the installation
	OAuthURL         string `yaml:"oauth_url"`         // default https://oauth.bitrix.info/oauth/token/
	Handler          string `yaml:"handler"`           // our address for Bitrix24's requests

	// Or an inbound web hook, as user/code; some portals refuse it calls.
	Webhook Secret `yaml:"webhook"`

	Users       map[string]int `yaml:"users"`        // extension: user id; others are asked of Bitrix24
	DefaultUser int            `yaml:"default_user"` // answers for calls that reached nobody
	Create      bool           `yaml:"create"`       // make a lead or contact of unknown numbers
	Recording   string         `yaml:"recording"`    // upload (default), link, or off
	Rate        float64        `yaml:"rate"`         // requests per second on the whole; default 2, Enterprise 5
	Burst       int            `yaml:"burst"`        // requests at once; default 40, Enterprise 200
	Net         `yaml:",inline"`
}

func (b *Bitrix24) faults() []error {
	out := b.Net.faults("url", b.URL)
	app := b.ClientID != "" || b.ClientSecret.Set()
	switch {
	case app == b.Webhook.Set():
		out = append(out, errors.New("client_id: want client_id and client_secret of a local application, or else webhook"))
	case app && (b.ClientID == "" || !b.ClientSecret.Set()):
		out = append(out, errors.New("client_secret: client_id and client_secret go together"))
	case app && !b.RefreshToken.Set() && b.Handler == "":
		out = append(out, errors.New("handler: want handler, the address with which the application is installed, or refresh_token"))
	}
	if b.DefaultUser <= 0 {
		out = append(out, errors.New("default_user: want the id of a user who answers for calls that reached nobody"))
	}
	if !slices.Contains([]string{"", "upload", "link", "off"}, b.Recording) {
		out = append(out, fmt.Errorf("recording: want upload, link or off, have %q", b.Recording))
	}
	if b.Rate < 0 || b.Burst < 0 {
		out = append(out, errors.New("rate: rate and burst must not be negative"))
	}
	return out
}

func (b *Bitrix24) connect(dep Deps) (Connector, error) {
	if dep.Notes == nil {
		return nil, errors.New("bitrix24 needs notes")
	}
	api, err := newB24API(b, dep)
	if err != nil {
		return nil, err
	}
	return &bitrix24conn{
		cfg: *b, api: api, dep: dep, log: dep.Logger.With("sink", dep.Sink),
		users: map[string]b24User{},
	}, nil
}

type bitrix24conn struct {
	cfg Bitrix24
	api *b24API
	dep Deps
	log *slog.Logger

	mu    sync.Mutex
	users map[string]b24User // by extension
}

// b24User is what is known of an extension, 0 for one that has no user.
type b24User struct {
	id int
	at time.Time
}

// b24Registered is an answer of register, and a row of the statistics.
type b24Registered struct {
	ID string `json:"CALL_ID"`
}

// b24Call is what must be remembered of a call.
type b24Call struct {
	ID       string `json:"id,omitempty"`       // that register gave
	Shown    []int  `json:"shown,omitempty"`    // users who see the card
	Tried    bool   `json:"tried,omitempty"`    // finish has been sent at least once
	Finished bool   `json:"finished,omitempty"` // and is known to have arrived
	Recorded string `json:"recorded,omitempty"` // recording that is attached
}

const (
	b24Late    = 30 * time.Second // after which nothing is shown any more
	b24Spare   = 10.0             // requests that are kept for what must arrive
	b24AskKey  = "bitrix24_call"  // in the data of a call that Bitrix24 asked for
	b24AskUser = "bitrix24_user"  // and who did
)

// Caps implements [Connector].
func (c *bitrix24conn) Caps() []Cap {
	caps := []Cap{PopUp, Live, LookUp, UserList, Reconcile}
	if c.cfg.Recording != "off" {
		caps = append(caps, Recordings)
	}
	if c.cfg.Handler != "" {
		caps = append(caps, ClickToCall)
	}
	return caps
}

// Deliver implements [Connector].
func (c *bitrix24conn) Deliver(ctx context.Context, e call.Event, r call.Call) error {
	if e.Kind == call.RequestRefused {
		return c.refused(ctx, e)
	}
	if e.Call == "" || r.Direction == call.Internal || b24Number(r) == "" {
		return ErrSkip
	}
	key := c.key(r.ID)
	n, err := readNote[b24Call](ctx, c.dep.Notes, key)
	if err != nil {
		return err
	}
	save := func() error { return writeNote(ctx, c.dep.Notes, key, n) }
	if e.Kind == call.CallStarted && e.Data[AskedBy] == c.dep.Sink && n.ID == "" {
		// Bitrix24 has registered the call itself and shows its card.
		n.ID = e.Data[b24AskKey]
		if err := save(); err != nil {
			return err
		}
		return ErrSkip
	}
	before := n
	before.Shown = slices.Clone(n.Shown)
	switch {
	case r.MergedInto != "" && !n.Finished:
		err = c.show(ctx, &n, nil)
	case r.Over():
		err = c.end(ctx, r, &n, save)
	case e.Live && c.dep.Now().Sub(e.SeenAt) < b24Late:
		err = c.ring(ctx, r, &n)
	}
	if !reflect.DeepEqual(n, before) {
		return errors.Join(save(), err)
	}
	if err == nil {
		return ErrSkip
	}
	return err
}

// ring registers the call when there is somebody to show it to, and shows it
// to all of them.
func (c *bitrix24conn) ring(ctx context.Context, r call.Call, n *b24Call) error {
	viewers, err := c.viewers(ctx, r)
	if err != nil {
		return err
	}
	if n.ID == "" {
		if len(viewers) == 0 {
			return nil
		}
		var out b24Registered
		if err := c.api.call(ctx, c.registration(r, viewers[0], true), &out); err != nil {
			return err
		}
		n.ID, n.Shown = out.ID, viewers[:1:1]
	}
	return c.show(ctx, n, viewers)
}

// registration announces the call. Within half an hour the same call gives the
// same id again, since its EXTERNAL_CALL_ID and user are the same.
func (c *bitrix24conn) registration(r call.Call, user int, show bool) b24Cmd {
	kind := 2
	switch {
	case r.Origin == call.Callback:
		kind = 4
	case r.Direction == call.Outbound:
		kind = 1
	}
	return b24Cmd{"register", "telephony.externalCall.register", map[string]any{
		"USER_ID": user, "PHONE_NUMBER": b24Number(r), "TYPE": kind,
		"CALL_START_DATE": r.Started.Format("2006-01-02T15:04:05-07:00"), "LINE_NUMBER": b24Line(r),
		"CRM_CREATE": b24Bool(c.cfg.Create), "SHOW": b24Bool(show), "EXTERNAL_CALL_ID": r.ID,
	}}
}

// show makes the card visible to these users and nobody else. It is left out
// when requests are short: nothing is lost by it.
func (c *bitrix24conn) show(ctx context.Context, n *b24Call, users []int) error {
	if n.ID == "" || c.api.room(b24Spare) != nil {
		return nil
	}
	for _, step := range []struct {
		name  string
		users []int
	}{{"hide", without(n.Shown, users)}, {"show", without(users, n.Shown)}} {
		if len(step.users) == 0 {
			continue
		}
		params := map[string]any{"CALL_ID": n.ID, "USER_ID": step.users}
		if err := c.api.call(ctx, b24Cmd{step.name, "telephony.externalCall." + step.name, params}, nil); err != nil {
			return err
		}
		if step.name == "hide" {
			n.Shown = without(n.Shown, step.users)
		} else {
			n.Shown = append(n.Shown, step.users...)
		}
	}
	return nil
}

// end makes the call's row and gives it the recording. Bitrix24 refuses a
// second finish and keeps no key against it, so one that may have arrived is
// looked for first.
func (c *bitrix24conn) end(ctx context.Context, r call.Call, n *b24Call, save func() error) error {
	if n.Tried && !n.Finished {
		if err := c.seek(ctx, r, n); err != nil {
			return err
		}
	}
	if !n.Finished {
		// A try that is not even sent need not be looked for afterwards.
		if err := c.api.room(1); err != nil {
			return err
		}
		n.Tried = true
		if err := save(); err != nil {
			return err
		}
		if err := c.finish(ctx, r, n); err != nil {
			return err
		}
	}
	return c.attach(ctx, r, n)
}

// finish registers the call if that has not been done, closes its cards and
// makes its row, all in one request.
func (c *bitrix24conn) finish(ctx context.Context, r call.Call, n *b24Call) error {
	user, err := c.responsible(ctx, r)
	if err != nil {
		return err
	}
	var cmds []b24Cmd
	id := n.ID
	if id == "" {
		cmds = append(cmds, c.registration(r, user, false))
		id = "$result[register][CALL_ID]"
	}
	if len(n.Shown) > 0 {
		cmds = append(cmds, b24Cmd{"hide", "telephony.externalCall.hide", map[string]any{"CALL_ID": id, "USER_ID": n.Shown}})
	}
	cmds = append(cmds, b24Cmd{"finish", "telephony.externalCall.finish", map[string]any{
		"CALL_ID": id, "USER_ID": user, "DURATION": int(math.Ceil(float64(r.TalkMS) / 1000)),
		"STATUS_CODE": b24Status(r), "FAILED_REASON": b24Reason(r),
	}})
	var out b24Registered
	err = c.api.batch(ctx, cmds, map[string]any{"register": &out})
	if out.ID != "" {
		n.ID = out.ID
	}
	if b24Is(err, "Call is not found") {
		n.ID = "" // the registration has expired; the next try makes a new one
	}
	if err == nil {
		n.Finished, n.Shown = true, nil
	}
	return err
}

// seek looks whether an earlier finish has arrived: then the call is in the
// statistics.
func (c *bitrix24conn) seek(ctx context.Context, r call.Call, n *b24Call) error {
	filter := map[string]any{"EXTERNAL_CALL_ID": r.ID}
	if n.ID != "" {
		filter = map[string]any{"CALL_ID": n.ID} // one that Bitrix24 asked for bears no id of ours
	}
	var rows []b24Registered
	if err := c.api.call(ctx, b24Cmd{"seek", "voximplant.statistic.get", map[string]any{"FILTER": filter}}, &rows); err != nil {
		return err
	}
	if len(rows) > 0 {
		n.ID, n.Finished, n.Shown = rows[0].ID, true, nil
	}
	return nil
}

// b24Number is the client's number; "" if it is not known.
func b24Number(r call.Call) string {
	number, e164 := outside(&r)
	if e164 != "" {
		return e164
	}
	if digits(number) < 3 {
		return "" // anonymous, unknown, asterisk …
	}
	return number
}

func b24Line(r call.Call) string {
	if r.Line.DID != "" {
		return r.Line.DID
	}
	return r.Line.Trunk
}

// b24Status is the code by which Bitrix24 knows a result.
func b24Status(r call.Call) string {
	switch r.Disposition {
	case call.CallAnsweredD:
		return "200"
	case call.CallBusy:
		return "486"
	case call.CallRejected:
		return "603"
	case call.CallCancelled:
		return "603-S"
	case call.Blocked:
		return "423"
	case call.CallFailed:
		if slices.Contains([]int{402, 403, 404, 423, 480, 484, 486, 503, 603}, r.SIP) {
			return strconv.Itoa(r.SIP)
		}
		return "OTHER"
	}
	return "304"
}

func b24Reason(r call.Call) string {
	if r.Disposition == call.CallAnsweredD {
		return ""
	}
	if r.Reason != "" {
		return string(r.Disposition) + ": " + r.Reason
	}
	return string(r.Disposition)
}
