package crm

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"markaz/call"
)

// OpenCRM is a sink for any CRM that follows the OpenCRM contract
// (1stco/AbrPlus.Integration.OpenCRM, ICallStoreApi): requests CallCreated,
// CallUpdated, CallChannelCreated, CallChannelUpdated and MergeCall below
// call/, and a look-up by number below identity/. The contract gives the CRM
// our ids as SourceCallId and SourceCallChannelId, by which it must know a
// request that comes again.
type OpenCRM struct {
	URL       string `yaml:"url"`      // up to what stands before /call
	Username  string `yaml:"username"` // both empty: no authentication
	Password  Secret `yaml:"password"`
	Key       string `yaml:"ts_key"`    // of the telephony system in the CRM
	Recording string `yaml:"recording"` // name (default): told the file's name; off
	Net       `yaml:",inline"`
}

func (o *OpenCRM) faults() []error {
	out := o.Net.faults("url", o.URL)
	if (o.Username != "") != o.Password.Set() {
		out = append(out, errors.New("username: username and password go together"))
	}
	if o.Key == "" {
		out = append(out, errors.New("ts_key: want the key of the telephony system in the CRM"))
	}
	if o.Recording != "" && o.Recording != "name" && o.Recording != "off" {
		out = append(out, fmt.Errorf("recording: want name or off, have %q", o.Recording))
	}
	return out
}

func (o *OpenCRM) connect(dep Deps) (Connector, error) {
	if dep.Notes == nil {
		return nil, errors.New("opencrm needs notes")
	}
	password, err := o.Password.Reveal()
	if err != nil {
		return nil, err
	}
	api := &openCRM{key: o.Key, now: dep.Now, base: strings.TrimRight(o.URL, "/") + "/"}
	encoded := base64.StdEncoding.EncodeToString([]byte(o.Username + ":" + password))
	if o.Username != "" {
		api.authority = "Basic " + encoded
	}
	if api.web, err = newWeb(o.Net, password, encoded); err != nil {
		return nil, err
	}
	return &openCRMConn{storeConn{store: api, dep: dep, kind: "opencrm", noFiles: o.Recording == "off"}, api}, nil
}

type openCRMConn struct {
	storeConn
	api *openCRM
}

// Caps implements [Connector].
func (c *openCRMConn) Caps() []Cap {
	caps := []Cap{PopUp, Live, LookUp}
	if !c.noFiles {
		caps = append(caps, Recordings)
	}
	return caps
}

// Test implements [Connector]. The contract has no request for it; asking for
// one by the wrong method shows whether the address and the log-in are right,
// and leaves no trace.
func (c *openCRMConn) Test(ctx context.Context) error {
	a, err := c.api.web.json(ctx, http.MethodGet, c.api.base+"call/CallCreated", c.api.authority, nil)
	if err != nil {
		return err
	}
	switch a.status {
	case http.StatusMethodNotAllowed:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return &Problem{"credentials", fmt.Errorf("the CRM does not accept the user name or password (%s)", c.api.web.describe(a))}
	case http.StatusNotFound:
		return &Problem{"address", fmt.Errorf("url: there is no call/CallCreated below it (%s)", c.api.web.describe(a))}
	}
	if a.status < 500 {
		return nil
	}
	return c.api.web.failure(a, c.api.now())
}

// Find implements [Finder].
func (c *openCRMConn) Find(ctx context.Context, number string) (id, name string, err error) {
	number = cmp.Or(c.dep.local(number), number)
	address := c.api.base + "identity/findByPhoneNumber?" + url.Values{"PhoneNumber": {number}}.Encode()
	a, err := c.api.web.json(ctx, http.MethodGet, address, c.api.authority, nil)
	if err != nil || a.status == http.StatusNotFound || a.status == http.StatusNoContent {
		return "", "", err
	}
	var out struct {
		ID       string `json:"Id"`
		NickName string
	}
	err = c.api.read(a, &out)
	return out.ID, out.NickName, err
}

// openCRM is the interface of one CRM.
type openCRM struct {
	key       string
	base      string
	authority string
	web       *web
	now       func() time.Time
}

// ocCall are the fields of CallCreated and CallUpdated.
type ocCall struct {
	TsKey        string
	CallID       string `json:"CallId,omitempty"`
	SourceCallID string `json:"SourceCallId,omitempty"`
	IsLive       bool
	Number       string
	Date         *time.Time // of the start, or of the end
	CallType     string
	CallResult   string
	FirstSource  string `json:"SourceInitCallChannelId,omitempty"`
	FirstPeer    string `json:"SourceInitCallChannelPeerName,omitempty"`
	FirstType    string `json:"SourceInitCallChannelPeerType,omitempty"`
}

// ocChannel are the fields of CallChannelCreated and CallChannelUpdated.
type ocChannel struct {
	TsKey        string
	CallID       string `json:"CallId,omitempty"`
	ChannelID    string `json:"ChannelId,omitempty"`
	SourceID     string `json:"SourceCallChannelId,omitempty"`
	IsLive       bool
	PeerName     string `json:",omitempty"`
	PeerType     string `json:",omitempty"`
	ChannelState string
	Response     string     `json:"ChannelResponse,omitempty"`
	CreateDate   *time.Time `json:",omitempty"`
	ConnectDate  *time.Time `json:",omitempty"`
	HangupDate   *time.Time `json:",omitempty"`
	RecordedFile string     `json:"RecordedFileName,omitempty"`
}

func (o *openCRM) call(id string, c storeCall) ocCall {
	out := ocCall{TsKey: o.key, CallID: id, IsLive: c.Live, Number: c.Number, Date: c.End, CallType: "Incoming", CallResult: "NotAnswered"}
	switch c.Direction {
	case call.Outbound:
		out.CallType = "Outgoing"
	case call.Internal:
		out.CallType = "Internal"
	}
	if c.Answered {
		out.CallResult = "Answered"
	}
	return out
}

// createCall implements [callStore].
func (o *openCRM) createCall(ctx context.Context, c storeCall, _ bool) (storeIDs, error) {
	in := o.call("", c)
	in.SourceCallID, in.Date = c.Source, &c.Start
	in.FirstSource, in.FirstPeer, in.FirstType = c.First.Source, c.First.Peer, ocPeer(c.First.Trunk)
	var out struct {
		CallID            string `json:"CallId"`
		InitCallChannelID string `json:"InitCallChannelId"`
		IdentityID        string `json:"IdentityId"`
		IdentityName      string
	}
	err := o.post(ctx, "CallCreated", in, &out)
	if err == nil && (out.CallID == "" || out.InitCallChannelID == "") {
		err = errors.New("the CRM gave no CallId or no InitCallChannelId")
	}
	return storeIDs{out.CallID, out.InitCallChannelID, out.IdentityID, out.IdentityName}, err
}

// updateCall implements [callStore].
func (o *openCRM) updateCall(ctx context.Context, id string, c storeCall) error {
	return o.post(ctx, "CallUpdated", o.call(id, c), nil)
}

// createChannel implements [callStore].
func (o *openCRM) createChannel(ctx context.Context, callID string, ch storeChannel) (string, error) {
	var out struct {
		ID string `json:"CallChannelId"`
	}
	err := o.post(ctx, "CallChannelCreated", ocChannel{
		TsKey: o.key, CallID: callID, SourceID: ch.Source, IsLive: ch.Live, PeerName: ch.Peer, PeerType: ocPeer(ch.Trunk),
		ChannelState: ocState(ch.Status), CreateDate: &ch.Created,
	}, &out)
	if err == nil && out.ID == "" {
		err = errors.New("the CRM gave no CallChannelId")
	}
	return out.ID, err
}

// updateChannel implements [callStore].
func (o *openCRM) updateChannel(ctx context.Context, id string, ch storeChannel) error {
	return o.post(ctx, "CallChannelUpdated", ocChannel{
		TsKey: o.key, ChannelID: id, IsLive: ch.Live, ChannelState: ocState(ch.Status), Response: ocResponse(ch.Response),
		ConnectDate: ch.Connected, HangupDate: ch.Ended, RecordedFile: ch.File,
	}, nil)
}

// merge implements [callStore]. The contract wants numbers there, which the
// ids of many CRMs are not.
func (o *openCRM) merge(ctx context.Context, id, into string) error {
	from, err := strconv.ParseInt(id, 10, 64)
	to, err2 := strconv.ParseInt(into, 10, 64)
	if err != nil || err2 != nil {
		return errNoMerge
	}
	return o.post(ctx, "MergeCall", map[string]any{"TsKey": o.key, "SourceCallId": from, "DestCallId": to}, nil)
}

func (o *openCRM) post(ctx context.Context, request string, in, out any) error {
	a, err := o.web.json(ctx, http.MethodPost, o.base+"call/"+request, o.authority, in)
	if err != nil {
		return err
	}
	return o.read(a, out)
}

func (o *openCRM) read(a answer, out any) error {
	if a.status < 200 || a.status > 299 {
		return fmt.Errorf("the CRM %w", o.web.failure(a, o.now()))
	}
	if out == nil && a.plain() {
		return nil
	}
	if out == nil || a.cut || json.Unmarshal(a.body, out) != nil {
		return fmt.Errorf("%w: not an answer of OpenCRM: %s", ErrAway, o.web.describe(a))
	}
	return nil
}

func ocPeer(trunk bool) string {
	if trunk {
		return "Trunk"
	}
	return "Extension"
}

func ocState(s storeStatus) string { return [...]string{"Ringing", "Up", "Hangedup"}[s] }

func ocResponse(r call.Result) string {
	switch r {
	case call.Answered:
		return "Answered"
	case call.Busy:
		return "Busy"
	case call.Transferred:
		return "Transfered"
	}
	return "NotAnswered"
}
