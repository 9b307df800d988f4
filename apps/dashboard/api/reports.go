package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
)

// ReportQuery says which figures are wanted.
type ReportQuery struct {
	Visible  access.Condition
	By       string // hour, day, month, queue, agent, line
	From, To time.Time
	Zone     *time.Location
	Jalali   bool
	InTime   time.Duration // 0: as configured
}

// Figure counts the calls of one hour, day, month, queue, agent or line.
type Figure struct {
	Key       string  `json:"key"`
	Calls     int64   `json:"calls"`
	Answered  int64   `json:"answered"`
	Missed    int64   `json:"missed"`
	Offered   int64   `json:"offered" doc:"Incoming ones that were answered or missed"`
	InTime    int64   `json:"in_time" doc:"Of these: answered in time"`
	Outbound  int64   `json:"outbound"`
	Level     float64 `json:"service_level" doc:"Share of offered answered in time, 0 to 1; 1 if none was offered"`
	WaitMS    int64   `json:"wait_ms" doc:"Of all together"`
	WaitMaxMS int64   `json:"wait_max_ms"`
	TalkMS    int64   `json:"talk_ms" doc:"Of all together"`
	TalkMaxMS int64   `json:"talk_max_ms"`
}

type reportIn struct {
	By     string    `query:"by" enum:"hour,day,month,queue,agent,line" default:"day"`
	From   time.Time `query:"from" doc:"Calls that started at or after this; a week ago if not said"`
	To     time.Time `query:"to" doc:"Calls that started before this; now if not said"`
	Zone   string    `query:"zone" maxLength:"64" example:"Asia/Tehran" doc:"Time zone of hours, days and months; UTC if not said"`
	Jalali bool      `query:"jalali" doc:"Days and months of the Persian calendar"`
	InTime int       `query:"in_time_seconds" minimum:"0" maximum:"3600" doc:"Answered within this is in time; as configured if not said"`
}

type reportOut struct {
	Body struct {
		By      string    `json:"by"`
		From    time.Time `json:"from"`
		To      time.Time `json:"to"`
		Figures []Figure  `json:"figures"`
	}
}

func (a *API) declareReports() {
	add(a, access.Reports, huma.Operation{
		OperationID: "reports", Method: http.MethodGet, Path: "/v1/reports", Summary: "Figures of the past",
		Description: "Of the calls that the right `reports` covers.",
	}, func(ctx context.Context, v *visit, in *reportIn) (*reportOut, error) {
		zone, err := time.LoadLocation(in.Zone)
		if err != nil {
			return nil, fail(http.StatusUnprocessableEntity, "E4224", "zone: there is no such time zone.")
		}
		o := &reportOut{}
		o.Body.By, o.Body.From, o.Body.To = in.By, in.From, in.To
		if in.To.IsZero() {
			o.Body.To = a.dep.Now().UTC()
		}
		if in.From.IsZero() {
			o.Body.From = o.Body.To.AddDate(0, 0, -7)
		}
		figures, err := a.dep.Reports.Figures(ctx, ReportQuery{
			Visible: v.user.Covers(access.Reports), By: in.By, From: o.Body.From, To: o.Body.To, Zone: zone, Jalali: in.Jalali,
			InTime: time.Duration(in.InTime) * time.Second,
		})
		if errors.Is(err, ErrAsked) {
			return nil, fail(http.StatusUnprocessableEntity, "E4225", err.Error())
		}
		o.Body.Figures = list(figures)
		return o, err
	})
}
