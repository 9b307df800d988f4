package crm

import (
	"context"
	"net/http/httptest"
	"testing"

	"markaz/apps/crm/conformance/bitrix24"
	"markaz/call"
)

// Ensure that what a CRM asks for can only be a number.
func TestAsksAreNumbers(t *testing.T) {
	for number, want := range map[string]string{
		"+98 (912) 123-45-67": "+989121234567", "112": "112", "*70#": "*70#",
		"": "", "+": "", "sip:a@b": "", "101,Dial(x)": "", "0912\r\nAction: Originate": "", "9999999999999999999999999": "", "٠٩١٢": "", "1+2": "",
	} {
		e, err := Ask{ID: "7", Extension: "101", Number: number, Data: map[string]string{"k": "v"}}.Event("b24")
		if (err == nil) != (want != "") {
			t.Errorf("%q: %v", number, err)
		}
		if err == nil && (e.To != want || e.Ref != "crm:b24:7" || e.Kind != call.DialAsked || e.Data[AskedBy] != "b24" || e.Data["k"] != "v") {
			t.Errorf("%q: %+v", number, e)
		}
	}
	if _, err := (Ask{Extension: "101@evil", Number: "112"}).Event("b24"); err == nil {
		t.Error("a strange extension was accepted")
	}
}

// Ensure that a click which comes to nothing closes the card, with the reason
// in the language of the settings, however often it is told.
func TestBitrix24ClickRefused(t *testing.T) {
	handler := httptest.NewUnstartedServer(nil)
	address := "http://" + handler.Listener.Addr().String() + "/bitrix24"
	l := newB24Live(t, nil, func(c *SinkConfig) {
		b := c.Bitrix24
		b.Webhook, b.ClientID, b.ClientSecret = Secret{}, "local.app", NewSecret("appsecret")
		b.OAuthURL, b.Handler = b.URL+"/oauth/token/", address
		c.Language = "fa"
	})
	var asked call.Event
	handler.Config.Handler = l.sink.Connector().(Asker).Asks(func(_ context.Context, a Ask) (err error) {
		asked, err = a.Event(l.sink.Name())
		return err
	})
	handler.Start()
	defer handler.Close()
	ctx := context.Background()
	if err := l.portal.Install(ctx, address); err != nil {
		t.Fatal(err)
	}
	if _, err := l.portal.Click(ctx, 12, "+989121234567"); err != nil {
		t.Fatal(err)
	}
	other := call.Event{Kind: call.RequestRefused, ID: "r0", Ref: "desk-1", Live: true, SeenAt: t0}
	refused := call.Event{Kind: call.RequestRefused, ID: "r1", Ref: asked.Ref, Data: asked.Data, Reason: "spoken.nobody", Live: true, SeenAt: t0}
	l.tell(other, refused, refused)
	want := bitrix24.Row{User: 12, Status: "480", Reason: l.sink.conn.(*bitrix24conn).dep.Words.T("spoken.nobody")}
	rows := l.portal.Rows()
	if len(rows) != 1 || rows[0].User != want.User || rows[0].Status != want.Status || rows[0].Reason != want.Reason || l.portal.Open() != 0 {
		t.Errorf("rows %+v, want %+v", rows, want)
	}
	if want.Reason == "spoken.nobody" || want.Reason == "" {
		t.Errorf("reason %q", want.Reason)
	}
}
