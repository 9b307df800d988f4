package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/call"
	"markaz/dialplan"
)

// From the request over HTTP to the INVITE at the supervisor's phone, p99 at
// most 50 ms: a call goes on, and the supervisor declines each time.
func BenchmarkListenToInvite(b *testing.B) {
	o := office.StartT(b, office.Options{
		Binary: binary, Bed: testbed.Options{TrunkContext: dialplan.ContextInboundStasis},
		Sections: map[string]string{
			"agents": "\n  - {id: sara, extension: \"101\", auto_login: true}",
			"queues": "\n  - {name: sales, agents: [sara]}",
			"ivr":    "\n  person: {to: \"queue:sales\"}\n  routes: [{to: \"queue:sales\"}]",
		},
	})
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	sara, boss := testbed.NewPhone(b, o.Bed, "101"), testbed.NewPhone(b, o.Bed, "105")
	must(sara.Register(ctx))
	boss.OnCall(testbed.RejectDecline)
	must(boss.Register(ctx))
	_, err := testbed.NewCaller(b, o.Bed).Call(ctx, "0218", testbed.From("Ali", "09121111111"))
	must(err)
	_, err = sara.NextCall(ctx)
	must(err)
	calls, err := o.AwaitCalls(ctx, func(all []call.Call) bool { return len(all) == 1 && all[0].Answered != nil })
	must(err)
	body, err := json.Marshal(map[string]any{"call": calls[0].ID, "extension": "105", "mode": "spy"})
	must(err)

	var took, answered []time.Duration
	for b.Loop() {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.Web()+"/v1/monitors", bytes.NewReader(body))
		must(err)
		req.Header.Set("Authorization", "Bearer "+office.Token)
		req.Header.Set("Content-Type", "application/json")
		began := time.Now()
		res, err := http.DefaultClient.Do(req)
		must(err)
		_ = res.Body.Close()
		answered = append(answered, time.Since(began))
		if res.StatusCode != http.StatusAccepted {
			b.Fatal(res.Status)
		}
		invite, err := boss.NextCall(ctx)
		must(err)
		took = append(took, invite.Began.Sub(began))
		_, err = invite.WaitEnd(ctx)
		must(err)
		time.Sleep(50 * time.Millisecond) // until he may ask again
	}
	slices.Sort(took)
	slices.Sort(answered)
	p99 := took[(len(took)*99+99)/100-1]
	b.ReportMetric(float64(p99.Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(answered[len(answered)/2].Microseconds())/1000, "p50-answer-ms")
}
