package history_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"markaz/apps/history"
	"markaz/call"
)

func TestFigures(t *testing.T) {
	s := newStore(t)
	take(t, s, answered("c1", t0, "0911", "", "sales", "sara")...)
	take(t, s, answered("c2", t0.Add(time.Hour), "0912", "", "sales", "reza")...)
	take(t, s, abandoned("c3", t0.Add(time.Hour), "0913", "sales")...)
	take(t, s, abandoned("c4", t0.Add(24*time.Hour), "0913", "support")...)
	tehran, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		q    history.FigureQuery
		want []history.Figure
	}{
		"hours": {history.FigureQuery{By: history.ByHour, Zone: tehran}, []history.Figure{
			{Key: "12", Offered: 2, Calls: 2, Answered: 1, Missed: 1, InTime: 1, WaitMS: 9000, WaitMax: 5000, TalkMS: 2000, TalkMax: 2000},
			{Key: "13", Offered: 2, Calls: 2, Answered: 1, Missed: 1, InTime: 1, WaitMS: 9000, WaitMax: 5000, TalkMS: 2000, TalkMax: 2000},
		}},
		"Persian months": {history.FigureQuery{By: history.ByMonth, Zone: tehran, Jalali: true, To: t0.Add(2 * time.Hour)}, []history.Figure{
			{Key: "1405-01", Offered: 3, Calls: 3, Answered: 2, Missed: 1, InTime: 2, WaitMS: 14000, WaitMax: 5000, TalkMS: 4000, TalkMax: 2000},
		}},
		"days": {history.FigureQuery{By: history.ByDay, From: t0.Add(2 * time.Hour)}, []history.Figure{
			{Key: "2026-03-22", Offered: 1, Calls: 1, Missed: 1, WaitMS: 4000, WaitMax: 4000},
		}},
		"queues, a second is in time": {history.FigureQuery{By: history.ByQueue, InTime: time.Second}, []history.Figure{
			{Key: "sales", Offered: 3, Calls: 3, Answered: 2, Missed: 1, WaitMS: 7000, WaitMax: 3000, TalkMS: 4000, TalkMax: 2000},
			{Key: "support", Offered: 1, Calls: 1, Missed: 1, WaitMS: 1000, WaitMax: 1000},
		}},
		"agents": {history.FigureQuery{By: history.ByAgent}, []history.Figure{
			{Key: "reza", Offered: 1, Calls: 1, Answered: 1, InTime: 1, WaitMS: 1000, WaitMax: 1000, TalkMS: 2000, TalkMax: 2000},
			{Key: "sara", Offered: 1, Calls: 1, Answered: 1, InTime: 1, WaitMS: 1000, WaitMax: 1000, TalkMS: 2000, TalkMax: 2000},
		}},
		"lines that one may see": {history.FigureQuery{By: history.ByLine, Visible: &history.Visible{Queues: []string{"support"}}}, []history.Figure{
			{Key: "trunk2", Offered: 1, Calls: 1, Missed: 1, WaitMS: 4000, WaitMax: 4000},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Figures(t.Context(), tc.q)
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, tc.want)
			}
		})
	}
	if _, err := s.Figures(t.Context(), history.FigureQuery{By: "x'"}); !errors.Is(err, history.ErrBy) {
		t.Errorf("got %v", err)
	}
}

// What the house calls itself has no service level.
func TestOutgoingCallsAreNotOffered(t *testing.T) {
	s := newStore(t)
	events := answered("o1", t0, "101", "", "sales", "sara")
	for i := range events {
		if events[i].Kind == call.CallStarted {
			events[i].Direction = call.Outbound
		}
	}
	take(t, s, events...)
	got, err := s.Figures(t.Context(), history.FigureQuery{By: history.ByDay})
	if err != nil || len(got) != 1 || got[0].Answered != 1 || got[0].Outbound != 1 || got[0].Offered != 0 || got[0].InTime != 0 || got[0].ServiceLevel() != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}
