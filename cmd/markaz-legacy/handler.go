package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"markaz/legacy"
)

// handler answers on the address of listen. Streams end with ctx.
func (s *sidecar) handler(ctx context.Context) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(figures{s.engine}, s.log.Collector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /sources", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.engine.Status()) })
	mux.HandleFunc("GET /sources/{key}/raw", func(w http.ResponseWriter, r *http.Request) { s.raw(ctx, w, r) })
	mux.HandleFunc("POST /sources/{key}/import", s.imports)
	mux.HandleFunc("GET /sources/{key}/recordings/{id}", s.recording)
	return s.guarded(mux)
}

// guarded asks for the token, if one is set. Probes need none.
func (s *sidecar) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open := r.URL.Path == "/livez" || r.URL.Path == "/readyz"
		if s.cfg.Token != "" && !open && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+string(s.cfg.Token))) != 1 {
			http.Error(w, "token wanted", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ready reports whether every device is connected; what is wrong is told.
func (s *sidecar) ready(w http.ResponseWriter, _ *http.Request) {
	type line struct {
		Source   string   `json:"source"`
		Ready    bool     `json:"ready"`
		Error    string   `json:"error,omitempty"`
		Warnings []string `json:"warnings,omitempty"`
	}
	var lines []line
	code := http.StatusOK
	for _, st := range s.engine.Status() {
		lines = append(lines, line{st.Key, st.Connected, st.Error, st.Warnings})
		if !st.Connected {
			code = http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(lines) // the client has gone
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

// raw streams what a source sends, one JSON object a line: the latest first,
// then what comes; with ?latest, only the latest.
func (s *sidecar) raw(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	latest, more, stop := s.engine.Watch(r.PathValue("key"))
	defer stop()
	if more == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for _, line := range latest {
		if enc.Encode(line) != nil {
			return
		}
	}
	if r.URL.Query().Has("latest") {
		return
	}
	flush := http.NewResponseController(w).Flush
	for flush() == nil {
		select {
		case line := <-more:
			if enc.Encode(line) != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// recording sends a recorder's file as WAV.
func (s *sidecar) recording(w http.ResponseWriter, r *http.Request) {
	f, err := s.engine.Recording(r.PathValue("key"), r.PathValue("id"))
	if errors.Is(err, fs.ErrNotExist) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Content-Length", strconv.FormatInt(f.Size, 10))
	if _, err := io.Copy(w, f); err != nil {
		s.logger.Warn("recording was not sent whole", "recording", r.PathValue("id"), "error", err)
	}
}

// imports takes an old log as the body.
func (s *sidecar) imports(w http.ResponseWriter, r *http.Request) {
	f, err := os.CreateTemp(s.cfg.Dir, "import-*")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	report, err := s.engine.Import(r.Context(), r.PathValue("key"), f)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, report)
}

// figures are the sources' metrics.
type figures struct{ engine *legacy.Engine }

// Describe leaves the metrics to Collect.
func (figures) Describe(chan<- *prometheus.Desc) {}

// Collect hands out the metrics of every source.
func (f figures) Collect(ch chan<- prometheus.Metric) {
	send := func(name, help string, kind prometheus.ValueType, v float64, labels, values []string) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("markaz_legacy_"+name, help, labels, nil), kind, v, values...)
	}
	for _, st := range f.engine.Status() {
		by, key := []string{"source"}, []string{st.Key}
		gauge := func(name, help string, v float64) { send(name, help, prometheus.GaugeValue, v, by, key) }
		count := func(name, help string, v float64) { send(name, help, prometheus.CounterValue, v, by, key) }
		connected := 0.0
		if st.Connected {
			connected = 1
		}
		gauge("connected", "Whether the device is connected.", connected)
		count("reconnects_total", "Connections made again.", float64(st.Reconnects))
		count("bytes_total", "Bytes received.", float64(st.Bytes))
		count("events_total", "Events written to the log.", float64(st.Events))
		gauge("warnings", "Warnings that stand; /sources has their words.", float64(len(st.Warnings)))
		if !st.LastLine.IsZero() {
			gauge("last_line_timestamp_seconds", "When bytes came last, Unix time.", float64(st.LastLine.UnixMilli())/1000)
		}
		if st.SkewKnown {
			gauge("clock_behind_seconds", "How far the exchange's clock is behind ours.", st.Skew)
		}
		for kind, n := range st.Kinds {
			send("lines_total", "Lines or frames received.", prometheus.CounterValue, float64(n), []string{"source", "kind"}, []string{st.Key, kind})
		}
		if r := st.Sounds; r != nil {
			count("recordings_matched_total", "Files of a recorder that were given to a call.", float64(r.Matched))
			gauge("recordings_waiting", "Files of a recorder whose call is not known yet.", float64(r.Waiting))
		}
	}
	entries, bytes := f.engine.Backlog()
	send("journal_entries", "Entries of the journal not worked off.", prometheus.GaugeValue, float64(entries), nil, nil)
	send("journal_bytes", "Size of the journal on disk.", prometheus.GaugeValue, float64(bytes), nil, nil)
}
