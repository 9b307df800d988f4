package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/asterisk/testbed/redisbed"
)

// exported are the names of all metrics that a server has.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	redis := redisbed.StartT(t, redisbed.Options{})
	cfg, err := load(write(t, fmt.Sprintf(`
data_dir: %s
http: {listen: ""}
asterisk: {ari: {password: x}, agi: {listen: "127.0.0.1:0"}}
stream: {redis: {addr: %q}}
crm: [{name: hook, webhook: {url: "https://a.example/h", secrets: [%q]}}]
`, t.TempDir(), redis.Addr(), hookSecret)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := assemble(t.Context(), cfg, cfg.Log.Logger(t.Output()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	names := map[string]bool{"up": true}
	// Not Gather: it would ask a loop that does not run.
	for _, c := range []prometheus.Collector{s.stream.Collector(), floorFigures{s}, s.book, s.links.used, s.sinks[0]} {
		namesOf(c, names)
	}
	registry := prometheus.NewRegistry()
	s.loop.Register(registry)
	if err := s.sw.Register(registry); err != nil {
		t.Fatal(err)
	}
	namesOf(registry, names)
	return names
}

func namesOf(c prometheus.Collector, names map[string]bool) {
	ch := make(chan *prometheus.Desc)
	go func() { c.Describe(ch); close(ch) }()
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range ch {
		names[name.FindStringSubmatch(d.String())[1]] = true
	}
}

// queries are the expressions of the dashboard.
func queries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range board.Panels {
		if p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %q has no query", p.Title)
		}
		for _, q := range p.Targets {
			out = append(out, q.Expr)
		}
	}
	return out
}

// Every metric that an alert or a panel asks for is there.
func TestAlertsAndPanelsNameMetricsThatExist(t *testing.T) {
	names := exported(t)
	rules, err := os.ReadFile("../../deploy/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\bmarkaz_[a-z0-9_]+\b`)
	var found []string
	for _, text := range append(queries(t), string(rules)) {
		found = append(found, asked.FindAllString(text, -1)...)
	}
	if len(found) < 30 {
		t.Fatalf("only %d metrics are asked for", len(found))
	}
	for _, name := range found {
		base := strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum")
		if !names[name] && !names[base] {
			t.Errorf("no metric is called %s", name)
		}
	}
}

// The alerts fire when they should and say what they should, and Prometheus
// understands every query of the dashboard.
func TestAlertsFire(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("REQUIRE_REAL") == "" {
			t.Skip("promtool is not installed; run make setup")
		}
		t.Fatal(err)
	}
	check := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args, err, out)
		}
	}
	check("check", "rules", "../../deploy/alerts.yml")
	check("test", "rules", "../../deploy/alerts_test.yml")
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: panels\n    rules:\n")
	for i, q := range queries(t) {
		fmt.Fprintf(&rules, "      - {record: \"panel:%d\", expr: %q}\n", i, q)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	check("check", "rules", file)
}
