package smdr

import (
	"bytes"
	"fmt"
	"regexp"
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

// BenchmarkPeerRegexp is the parser that one writes in an afternoon: one
// expression, the library's date parser, the same fields.
func BenchmarkPeerRegexp(b *testing.B) {
	lines := benchLines()
	re := peerExpression()
	var sum int64
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		start, err := peerParse(re, string(lines[i&63]))
		if err != nil {
			b.Fatal(err)
		}
		sum += start.Unix()
	}
	perSecond(b, sum)
}

func peerExpression() *regexp.Regexp {
	return regexp.MustCompile(`^(\d\d/\d\d/\d\d) (\d\d:\d\d[AP]M) +(\S+) (\d\d) (<I>)?([0-9*#]*) +(?:(\d)'(\d\d))? *(?:(\d\d):(\d\d)'(\d\d))? *(\d+)? *([A-Z0-9]{2})?\s*$`)
}

func peerParse(re *regexp.Regexp, line string) (time.Time, error) {
	m := re.FindStringSubmatch(line)
	if m == nil {
		return time.Time{}, fmt.Errorf("no match: %q", line)
	}
	at, err := time.Parse("02/01/06 03:04PM", m[1]+" "+m[2])
	if err != nil {
		return time.Time{}, err
	}
	n := func(s string) time.Duration {
		v, _ := strconv.Atoi(s)
		return time.Duration(v)
	}
	ring := n(m[7])*time.Minute + n(m[8])*time.Second
	talk := n(m[9])*time.Hour + n(m[10])*time.Minute + n(m[11])*time.Second
	return at.Add(-ring - talk), nil
}

// The peer reads the same lines to the same start.
func TestPeerAgrees(t *testing.T) {
	p := Parser{Family: TDA, Order: DMY}
	re := peerExpression()
	var r Record
	for _, line := range benchLines() {
		start, err := peerParse(re, string(line))
		if err != nil || !p.Parse(line, &r) || start.Unix() != r.Start() {
			t.Errorf("%q: peer %v (%v), ours %v", line, start, err, time.Unix(r.Start(), 0).UTC())
		}
	}
}
