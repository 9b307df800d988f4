package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	jalaali "github.com/jalaali/go-jalaali"

	"markaz/apps/history"
	"markaz/call"
	"markaz/lang"
)

type reportCmd struct {
	By        string        `help:"What the figures are told apart by." enum:"hour,day,month,queue,agent,line" default:"hour"`
	From      string        `help:"First day, 2026-03-21 or, where the language is fa, 1405-01-01; today if not said."`
	To        string        `help:"Last day; today if not said."`
	Direction string        `help:"Only inbound, outbound or internal calls." enum:",inbound,outbound,internal" default:""`
	InTime    time.Duration `help:"Wait within which an answer is in time; that of the settings if not said."`
	CSV       bool          `name:"csv" help:"Comma-separated values; times in seconds."`
	JSON      bool          `name:"json" help:"One JSON object per line."`
	Lang      string        `help:"Language: en, fa, ru, zh; that of the terminal if not said."`
}

// Run counts calls.
func (c reportCmd) Run(ctx context.Context, cmd *cli, con console) error {
	cfg, err := load(cmd.Config)
	if err != nil {
		return err
	}
	words := lang.New().In(language(c.Lang))
	q, err := c.query(words.Lang() == "fa", time.Now())
	if err != nil {
		return exit(exitConfig, "%w", err)
	}
	store, err := readHistory(ctx, cfg)
	if err != nil {
		return err
	}
	if store == nil {
		return exit(exitFailure, "there is no history at %s yet; has markaz served?", cfg.History.File)
	}
	defer store.Close()
	figures, err := store.Figures(ctx, q)
	if err != nil {
		return exit(exitFailure, "%w", err)
	}
	switch {
	case c.JSON:
		return writeJSON(con.out, figures)
	case c.CSV:
		return reportCSV(con.out, c.By, figures)
	}
	return reportTable(con.out, words, c.By, figures)
}

func (c reportCmd) query(persian bool, now time.Time) (history.FigureQuery, error) {
	q := history.FigureQuery{
		By: history.By(c.By), Zone: time.Local, Jalali: persian, InTime: c.InTime, Direction: call.Direction(c.Direction),
	}
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.Local)
	var err error
	if q.From, err = day(c.From, today); err != nil {
		return q, fmt.Errorf("--from: %w", err)
	}
	if q.To, err = day(c.To, today); err != nil {
		return q, fmt.Errorf("--to: %w", err)
	}
	q.To = q.To.AddDate(0, 0, 1)
	if !q.To.After(q.From) {
		return q, errors.New("--to is before --from")
	}
	return q, nil
}

// persianYears are those that a date of either calendar cannot share: this
// product counts no calls of the year 1699 or before.
const persianYears = 1700

// day reads a date of either calendar.
func day(text string, none time.Time) (time.Time, error) {
	if text == "" {
		return none, nil
	}
	var y, m, d int
	if n, err := fmt.Sscanf(history.FoldName(text), "%d-%d-%d", &y, &m, &d); err != nil || n != 3 {
		return none, fmt.Errorf("want year-month-day, have %q", text)
	}
	month := time.Month(m)
	if y < persianYears {
		if !jalaali.IsValidDate(y, m, d) {
			return none, fmt.Errorf("there is no day %q", text)
		}
		var err error
		if y, month, d, err = jalaali.ToGregorian(y, jalaali.Month(m), d); err != nil {
			return none, fmt.Errorf("there is no day %q: %w", text, err)
		}
	}
	at := time.Date(y, month, d, 0, 0, 0, 0, time.Local)
	if at.Month() != month || at.Day() != d {
		return none, fmt.Errorf("there is no day %q", text)
	}
	return at, nil
}

// columns are the figures of a report, in order, by their keys.
func columns() []string {
	return []string{"calls", "answered", "missed", "outbound", "in_time", "service_level", "wait", "wait_max", "talk", "talk_max"}
}

// cells are a line of a report; duration writes milliseconds.
func cells(f history.Figure, duration func(ms int64) string) []string {
	mean := func(sum, n int64) string { return duration(sum / max(1, n)) }
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	level := "-"
	if f.Offered > 0 {
		level = fmt.Sprintf("%.1f%%", 100*f.ServiceLevel())
	}
	return []string{
		f.Key, n(f.Calls), n(f.Answered), n(f.Missed), n(f.Outbound), n(f.InTime), level,
		mean(f.WaitMS, f.Calls), duration(f.WaitMax), mean(f.TalkMS, f.Answered), duration(f.TalkMax),
	}
}

func reportTable(w io.Writer, words lang.Words, by string, figures []history.Figure) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	head := []string{words.T("history.report." + by)}
	for _, c := range columns() {
		head = append(head, words.T("history.report."+c))
	}
	fmt.Fprintln(tw, strings.Join(head, "\t"))
	for _, f := range figures {
		f.Key = dash(call.Clean(f.Key, 64))
		fmt.Fprintln(tw, strings.Join(cells(f, seconds), "\t"))
	}
	return tw.Flush()
}

func reportCSV(w io.Writer, by string, figures []history.Figure) error {
	out := csv.NewWriter(w)
	if err := out.Write(append([]string{by}, columns()...)); err != nil {
		return err
	}
	for _, f := range figures {
		f.Key = harmless(call.Clean(f.Key, 64))
		if err := out.Write(cells(f, func(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) })); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// harmless keeps spreadsheets from taking a name that came with a call for a
// formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
