package dashboard

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"markaz/apps/dashboard/browsertest"
	"markaz/call"
)

// BenchmarkEventToElement has the live page open in Chromium while fifty calls
// go on and change, and reports how long it takes from an event's reaching the
// hub to the changed element in the page. Server and browser share a clock.
func BenchmarkEventToElement(b *testing.B) {
	const live, events = 50, 300
	s := newStage(b)
	for i := range live {
		s.ring(fmt.Sprint("live", i), fmt.Sprintf("0912%07d", i), "Caller", []string{"sales", "support"}[i%2], time.Minute)
	}
	tab := browsertest.Start(b).Tab(1400, 1000)
	s.come(tab, "boss", "/board", "lang=en")
	tab.Wait("all calls are there", fmt.Sprintf("document.querySelectorAll('#calls tr').length === %d", live))
	browsertest.Eval[bool](tab, `window.seen = {}; new MutationObserver(() => {
		const text = document.querySelector("[data-key='x:101'] [data-f=peer]").textContent;
		if (!(text in seen)) seen[text] = performance.timeOrigin + performance.now();
	}).observe(document.querySelector("[data-key='x:101']"), {subtree: true, childList: true, characterData: true}), true`)
	sent := map[string]float64{}
	tick := time.NewTicker(20 * time.Millisecond) // beside it as many events of the calls
	defer tick.Stop()
	for i := range events {
		<-tick.C
		s.log.tell(0, call.Event{Kind: call.QueuePosition, Call: fmt.Sprint("live", i%live), Queue: "sales", Position: i})
		if i%5 != 0 {
			continue
		}
		word := fmt.Sprint("r", i)
		now := time.Now()
		sent[word] = float64(now.UnixMicro()) / 1000
		s.hub.Note(call.Event{ID: word, Kind: call.AgentChanged, Agent: "sara", Address: "101", State: "paused", Reason: word, At: now, SeenAt: now})
	}
	tab.Wait("the last", fmt.Sprintf("seen['r%d']", events-5))
	seen := browsertest.Eval[map[string]float64](tab, "seen")
	var took []float64
	for word, at := range sent {
		if there, ok := seen[word]; ok { // else it was overtaken within one message
			took = append(took, there-at)
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-p50")
	b.ReportMetric(took[len(took)*99/100], "ms-p99")
	b.ReportMetric(float64(len(took)), "events")
	b.ReportMetric(0, "ns/op")
}
