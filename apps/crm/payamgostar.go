package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"markaz/call"
)

// PayamGostar is a sink for the CRM of that name, by version 1 of its
// telephony interface as its own client (1stco/PayamGostarApiClient) uses it.
// What happens to a call while it goes on is told as live and pops up at the
// extension that rings; whom PayamGostar takes the caller to be comes back as
// [call.CallIdentified]. What is told late is marked so and pops nothing up.
type PayamGostar struct {
	URL      string `yaml:"url"` // https://crm.office.example
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
	Key      string `yaml:"ts_key"` // of the telephony system in PayamGostar
	// RegisterPeers adds extensions and lines that PayamGostar does not know,
	// as extensions: auto and lines: auto of a route do for one of them.
	RegisterPeers bool   `yaml:"register_peers"`
	Timezone      string `yaml:"timezone"`  // of the dates it is told; default that of this machine
	Recording     string `yaml:"recording"` // name (default): told the file's name; off
	Net           `yaml:",inline"`
}

func (p *PayamGostar) faults() []error {
	out := p.Net.faults("url", p.URL)
	if p.Username == "" || !p.Password.Set() {
		out = append(out, errors.New("username: username and password are missing"))
	}
	if p.Key == "" {
		out = append(out, errors.New("ts_key: want the key of the telephony system in PayamGostar"))
	}
	if _, err := zone(p.Timezone); err != nil {
		out = append(out, fmt.Errorf("timezone: %w", err))
	}
	if p.Recording != "" && p.Recording != "name" && p.Recording != "off" {
		out = append(out, fmt.Errorf("recording: want name or off, have %q", p.Recording))
	}
	return out
}

func (p *PayamGostar) connect(dep Deps) (Connector, error) {
	if dep.Notes == nil {
		return nil, errors.New("payamgostar needs notes")
	}
	password, err := p.Password.Reveal()
	if err != nil {
		return nil, err
	}
	where, err := zone(p.Timezone)
	if err != nil {
		return nil, err
	}
	web, err := newWeb(p.Net, password)
	if err != nil {
		return nil, err
	}
	api := &payamGostar{
		cfg: *p, password: password, zone: where, web: web, now: dep.Now,
		base: strings.TrimRight(p.URL, "/") + "/api/v1/", peers: map[string]bool{},
		learnExtensions: dep.LearnExtensions, learnLines: dep.LearnLines,
	}
	return &payamGostarConn{storeConn{store: api, dep: dep, kind: "payamgostar", noFiles: p.Recording == "off"}, api}, nil
}

type payamGostarConn struct {
	storeConn
	api *payamGostar
}

// Caps implements [Connector].
func (c *payamGostarConn) Caps() []Cap {
	caps := []Cap{PopUp, Live, UserList}
	if !c.noFiles {
		caps = append(caps, Recordings)
	}
	return caps
}

// Test implements [Connector].
func (c *payamGostarConn) Test(ctx context.Context) error {
	var systems []struct{ Key, Name string }
	if err := c.api.send(ctx, http.MethodGet, "telephony", nil, &systems); err != nil {
		return err
	}
	var have []string
	for _, s := range systems {
		if s.Key == c.api.cfg.Key {
			return nil
		}
		have = append(have, s.Key)
	}
	return &Problem{"key", fmt.Errorf("ts_key: PayamGostar has no telephony system with the key %q; it has %q", c.api.cfg.Key, have)}
}

// payamGostar is the interface of one PayamGostar.
type payamGostar struct {
	cfg      PayamGostar
	password string
	zone     *time.Location
	web      *web
	base     string
	now      func() time.Time

	learnExtensions, learnLines bool

	mu     sync.Mutex
	access string
	until  time.Time
	peers  map[string]bool // that are known to be there
}

// pgCall are the fields of a call, as the client names them.
type pgCall struct {
	CallID        int64   `json:"CallId,omitempty"`
	TsKey         string  `json:",omitempty"`
	SourceID      string  `json:"SourceId,omitempty"`
	PhoneNumber   string  `json:",omitempty"`
	StartDate     string  `json:",omitempty"`
	EndDate       *string `json:",omitempty"`
	CallTypeIndex int     `json:",omitempty"`
	FirstName     string  `json:"InitChannelPeerName,omitempty"`
	FirstType     int     `json:"InitChannelPeerTypeIndex,omitempty"`
	FirstSource   string  `json:"InitChannelSourceId,omitempty"`
	IsLive        bool
}

// pgChannel are the fields of a channel.
type pgChannel struct {
	CallID       int64   `json:"CallId,omitempty"`
	ID           int64   `json:"CallChannelId,omitempty"`
	PeerName     string  `json:"ChannelPeerName,omitempty"`
	PeerType     int     `json:"ChannelPeerTypeIndex,omitempty"`
	SourceID     string  `json:"ChannelSourceId,omitempty"`
	Status       int     `json:"ChannelStatusIndex"`
	Response     int     `json:"ChannelResponseIndex,omitempty"`
	CreateDate   string  `json:",omitempty"`
	ConnectDate  *string `json:",omitempty"`
	HangupDate   *string `json:",omitempty"`
	RecordedFile string  `json:"RecordedFileName,omitempty"`
	IsLive       bool
}

// createCall implements [callStore]. That a repeated SourceId gives the same
// call is not documented, so one that may be there already is first looked for
// among those that go on, by its number and start.
func (p *payamGostar) createCall(ctx context.Context, c storeCall, again bool) (storeIDs, error) {
	if err := p.register(ctx, c.First); err != nil {
		return storeIDs{}, err
	}
	if again && c.Live {
		id, err := p.active(ctx, c)
		if err != nil || id != "" {
			return storeIDs{Call: id}, err
		}
	}
	var out struct {
		CallID           int64  `json:"CallId"`
		InitChannelID    int64  `json:"InitChannelId"`
		IdentityID       string `json:"IdentityId"`
		IdentityNickName string
	}
	err := p.send(ctx, http.MethodPost, "telephony/call", pgCall{
		TsKey: p.cfg.Key, SourceID: c.Source, PhoneNumber: c.Number, StartDate: p.date(c.Start), CallTypeIndex: pgType(c),
		FirstName: c.First.Peer, FirstType: pgPeer(c.First.Trunk), FirstSource: c.First.Source, IsLive: c.Live,
	}, &out)
	if err == nil && out.CallID == 0 {
		err = errors.New("PayamGostar gave no CallId")
	}
	return storeIDs{strconv.FormatInt(out.CallID, 10), strconv.FormatInt(out.InitChannelID, 10), out.IdentityID, out.IdentityNickName}, err
}

// active finds a call that is going on.
func (p *payamGostar) active(ctx context.Context, c storeCall) (string, error) {
	var calls []struct {
		CallID      int64 `json:"CallId"`
		PhoneNumber string
		CallDate    pgTime
	}
	if err := p.send(ctx, http.MethodGet, "telephony/call/active?Count=1000", nil, &calls); err != nil {
		return "", err
	}
	for _, x := range calls {
		if x.PhoneNumber == c.Number && time.Time(x.CallDate).Sub(c.Start).Abs() < time.Second {
			return strconv.FormatInt(x.CallID, 10), nil
		}
	}
	return "", nil
}

// updateCall implements [callStore].
func (p *payamGostar) updateCall(ctx context.Context, id string, c storeCall) error {
	return p.send(ctx, http.MethodPut, "telephony/call", pgCall{
		CallID: pgID(id), PhoneNumber: c.Number, EndDate: p.dateOf(c.End), CallTypeIndex: pgType(c), IsLive: c.Live,
	}, nil)
}

// createChannel implements [callStore].
func (p *payamGostar) createChannel(ctx context.Context, callID string, ch storeChannel) (string, error) {
	if err := p.register(ctx, ch); err != nil {
		return "", err
	}
	var out struct {
		ID int64 `json:"CallChannelId"`
	}
	err := p.send(ctx, http.MethodPost, "telephony/channel", pgChannel{
		CallID: pgID(callID), PeerName: ch.Peer, PeerType: pgPeer(ch.Trunk), SourceID: ch.Source,
		Status: pgStatus(ch.Status), CreateDate: p.date(ch.Created), IsLive: ch.Live,
	}, &out)
	return strconv.FormatInt(out.ID, 10), err
}

// updateChannel implements [callStore].
func (p *payamGostar) updateChannel(ctx context.Context, id string, ch storeChannel) error {
	return p.send(ctx, http.MethodPut, "telephony/channel", pgChannel{
		ID: pgID(id), Status: pgStatus(ch.Status), Response: pgResponse(ch.Response),
		ConnectDate: p.dateOf(ch.Connected), HangupDate: p.dateOf(ch.Ended), RecordedFile: ch.File, IsLive: ch.Live,
	}, nil)
}

// merge implements [callStore].
func (p *payamGostar) merge(ctx context.Context, id, into string) error {
	return p.send(ctx, http.MethodPut, "telephony/call/merge", map[string]any{
		"TsKey": p.cfg.Key, "SourceCallId": pgID(id), "DestinationCallId": pgID(into),
	}, nil)
}

// register makes sure that PayamGostar knows an extension or line, if it
// should learn new ones from us.
func (p *payamGostar) register(ctx context.Context, ch storeChannel) error {
	p.mu.Lock()
	known := p.peers[ch.Peer]
	p.mu.Unlock()
	learn := p.cfg.RegisterPeers || ch.Trunk && p.learnLines || !ch.Trunk && p.learnExtensions
	if known || !learn || ch.Peer == "" {
		return nil
	}
	path := "telephony/" + url.PathEscape(p.cfg.Key) + "/peer"
	err := p.send(ctx, http.MethodGet, path+"/"+url.PathEscape(ch.Peer), nil, nil)
	if errors.Is(err, errNotFound) {
		err = p.send(ctx, http.MethodPost, path, map[string]any{"Name": ch.Peer, "TelephonySystemPeerType": pgPeer(ch.Trunk)}, nil)
	}
	if err != nil {
		return fmt.Errorf("register %s: %w", ch.Peer, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peers[ch.Peer] = true
	return nil
}

// errNotFound is what is asked for and not there.
var errNotFound = errors.New("not there")

// send makes a request with a token that is renewed when it has expired.
func (p *payamGostar) send(ctx context.Context, method, path string, in, out any) error {
	token, err := p.token(ctx, "")
	if err != nil {
		return err
	}
	a, err := p.web.json(ctx, method, p.base+path, "Bearer "+token, in)
	if err == nil && a.status == http.StatusUnauthorized {
		if token, err = p.token(ctx, token); err == nil {
			a, err = p.web.json(ctx, method, p.base+path, "Bearer "+token, in)
		}
	}
	switch {
	case err != nil:
		return err
	case a.status == http.StatusNotFound:
		// Having let us in, it means this call or peer, not its own address.
		return fmt.Errorf("%w: PayamGostar answered %s", errNotFound, p.web.describe(a))
	case a.status < 200 || a.status > 299:
		return fmt.Errorf("PayamGostar %w", p.web.failure(a, p.now()))
	case out == nil && a.plain():
		return nil
	}
	if out == nil || a.cut || json.Unmarshal(a.body, out) != nil {
		return fmt.Errorf("%w: not an answer of PayamGostar: %s", ErrAway, p.web.describe(a))
	}
	return nil
}

// token returns an access token other than the one that was refused.
func (p *payamGostar) token(ctx context.Context, refused string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.access != "" && p.access != refused && p.now().Before(p.until) {
		return p.access, nil
	}
	form := url.Values{"grant_type": {"password"}, "username": {p.cfg.Username}, "password": {p.password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"auth", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("%w: make request: %w", ErrPermanent, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := p.web.do(req)
	if err != nil {
		return "", err
	}
	// Neither mends itself, and more tries would lock the user out, or longer.
	switch a.status {
	case http.StatusBadRequest, http.StatusUnauthorized:
		return "", RetryAfter(fmt.Errorf("%w: %w", ErrAway, &Problem{"credentials", fmt.Errorf("PayamGostar does not accept the user name or password (%s)", p.web.describe(a))}), 10*time.Minute)
	case http.StatusForbidden:
		return "", RetryAfter(fmt.Errorf("%w: %w", ErrAway, &Problem{"locked", fmt.Errorf("PayamGostar has locked the user out for a while (%s)", p.web.describe(a))}), 10*time.Minute)
	}
	var out struct {
		Access  string  `json:"access_token"`
		Seconds float64 `json:"expires_in"`
	}
	if a.status < 200 || a.status > 299 {
		return "", fmt.Errorf("log in to PayamGostar: %w", p.web.failure(a, p.now()))
	}
	if err := json.Unmarshal(a.body, &out); err != nil || out.Access == "" {
		return "", fmt.Errorf("%w: log in to PayamGostar: %s", ErrAway, p.web.describe(a))
	}
	p.access, p.until = out.Access, p.now().Add(time.Duration(out.Seconds*float64(time.Second))-time.Minute)
	return p.access, nil
}

// date writes a time as PayamGostar's client does: local, with its offset.
func (p *payamGostar) date(t time.Time) string {
	return t.In(p.zone).Format("2006-01-02T15:04:05.000-07:00")
}

func (p *payamGostar) dateOf(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := p.date(*t)
	return &text
}

func pgID(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0 // was written by FormatInt
	}
	return n
}

// pgType is Missed=1, Received=2, Outgoing=3, Internal=4: an incoming call is
// missed until somebody answers it.
func pgType(c storeCall) int {
	switch {
	case c.Direction == call.Outbound:
		return 3
	case c.Direction == call.Internal:
		return 4
	case c.Answered:
		return 2
	}
	return 1
}

func pgPeer(trunk bool) int {
	if trunk {
		return 2
	}
	return 1
}

// pgStatus is Ringing=2, Up=3, HangUp=4.
func pgStatus(s storeStatus) int { return int(s) + 2 }

// pgResponse is NotAnswered=1, Answered=2, Busy=3, Transfered=4.
func pgResponse(r call.Result) int {
	switch r {
	case call.Answered:
		return 2
	case call.Busy:
		return 3
	case call.Transferred:
		return 4
	}
	return 1
}
