package smdr

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// benchLines is a mixture of pattern A as a busy exchange prints it, without
// names.
func benchLines() [][]byte {
	var lines [][]byte
	for i := range 64 {
		at := fmt.Sprintf("%02d/%02d/26 %02d:%02d%cM", 1+i%28, 1+i%12, 1+i%12, i%60, "AP"[i%2])
		switch i % 4 {
		case 0:
			lines = append(lines, fmt.Appendf(nil, "%s  %4d %02d %-25s %4s 00:%02d'%02d %-10s", at, 100+i, 1+i%24, fmt.Sprintf("<I>0912%07d", i*7919), "0'12", i%60, i%59, ""))
		case 1:
			lines = append(lines, fmt.Appendf(nil, "%s  %4d %02d %-25s %4s 00:%02d'%02d %-10s TR", at, 100+i, 1+i%24, fmt.Sprintf("<I>0912%07d", i*7919), "0'04", i%60, i%59, ""))
		case 2:
			lines = append(lines, fmt.Appendf(nil, "%s  %4d %02d %-25s %4s 00:%02d'%02d %-10s", at, 100+i, 1+i%24, fmt.Sprintf("0935%07d", i*7919), "", i%60, i%59, "1234567890"))
		case 3:
			lines = append(lines, fmt.Appendf(nil, "%s  %4d %02d %-25s %4s %8s %-10s AN", at, 100+i, 1+i%24, fmt.Sprintf("<I>0912%07d", i*7919), "0'09", "", ""))
		}
	}
	return lines
}

func BenchmarkParse(b *testing.B) {
	lines := benchLines()
	p := Parser{Family: TDA, Order: DMY}
	var r Record
	var sum int64
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !p.Parse(lines[i&63], &r) {
			b.Fatalf("%q is %v", lines[i&63], r.Kind)
		}
		sum += r.Start()
	}
	perSecond(b, sum)
}

// BenchmarkStream cuts the stream into lines as well.
func BenchmarkStream(b *testing.B) {
	stream := append(bytes.Join(benchLines(), []byte("\r\n")), '\r', '\n')
	p := Parser{Family: TDA, Order: DMY}
	lines := Lines{Parser: p}
	var f Framer
	var r Record
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		f.Write(stream, func(fr Frame) {
			lines.Add(fr, func(line Frame) {
				if p.Parse(line.Line, &r) {
					n++
				}
			})
		})
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mlines/s")
}

func perSecond(b *testing.B, sum int64) {
	b.Helper()
	if sum == 0 {
		b.Fatal("nothing was read")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlines/s")
}

// BenchmarkAgainstRegexp parses the same lines by turns with ours and with the
// parser that one writes in an afternoon: one expression, the library's date
// parser, the same fields. Turns are so short that few are interrupted, and
// their medians are compared, so that a busy machine changes little.
func BenchmarkAgainstRegexp(b *testing.B) {
	const rounds = 8 // of ours for one of theirs
	lines := benchLines()
	p, re := Parser{Family: TDA, Order: DMY}, peerExpression()
	var r Record
	var ours, theirs []float64 // ns a line
	var sum int64
	for b.Loop() {
		begun := time.Now()
		for range rounds {
			for _, line := range lines {
				p.Parse(line, &r)
				sum += r.Start()
			}
		}
		between := time.Now()
		for _, line := range lines {
			read, err := peerParse(re, string(line))
			if err != nil {
				b.Fatal(err)
			}
			sum -= rounds * read.start.Unix()
		}
		n := float64(len(lines))
		ours = append(ours, float64(between.Sub(begun))/n/rounds)
		theirs = append(theirs, float64(time.Since(between))/n)
	}
	if sum != 0 {
		b.Error("the two read different times")
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	o, t := ours[len(ours)/2], theirs[len(theirs)/2]
	b.ReportMetric(1e3/o, "Mlines/s")
	b.ReportMetric(1e3/t, "Mlines/s-regexp")
	b.ReportMetric(t/o, "x_regexp")
}

func peerExpression() *regexp.Regexp {
	return regexp.MustCompile(`^(\d\d/\d\d/\d\d) (\d\d:\d\d[AP]M) +(\S+) (\d\d) (<I>)?([0-9*#]*) +(?:(\d)'(\d\d))? *(?:(\d\d):(\d\d)'(\d\d))? *(\d+)? *([A-Z0-9]{2})?\s*$`)
}

func peerParse(re *regexp.Regexp, line string) (r reference, err error) {
	m := re.FindStringSubmatch(line)
	if m == nil {
		return r, fmt.Errorf("no match: %q", line)
	}
	at, err := time.Parse("02/01/06 03:04PM", m[1]+" "+m[2])
	if err != nil {
		return r, err
	}
	n := func(s string) int {
		v, _ := strconv.Atoi(s)
		return v
	}
	r = reference{ext: m[3], trunk: m[4], inbound: m[5] != "", number: m[6], account: m[12], condition: m[13], ring: NotPrinted, duration: NotPrinted}
	if m[7] != "" {
		r.ring = n(m[7])*60 + n(m[8])
	}
	if m[9] != "" {
		r.duration = n(m[9])*3600 + n(m[10])*60 + n(m[11])
	}
	r.start = at.Add(-time.Duration(max(r.ring, 0)+max(r.duration, 0)) * time.Second)
	return r, nil
}

// The peer reads the same fields from the same lines.
func TestPeerAgrees(t *testing.T) {
	p := Parser{Family: TDA, Order: DMY}
	re := peerExpression()
	var r Record
	for _, line := range benchLines() {
		want, err := peerParse(re, string(line))
		if !p.Parse(line, &r) || err != nil {
			t.Fatalf("%q is %v (peer: %v)", line, r.Kind, err)
		}
		if got := referenceOf(&r); got != want {
			t.Errorf("%q\nours %+v\npeer %+v", line, got, want)
		}
	}
}
