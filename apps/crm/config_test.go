package crm

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestConfigFromYAML(t *testing.T) {
	t.Setenv("MARKAZ_ERP_SECRET", secretA)
	var c Config
	err := yaml.UnmarshalWithOptions([]byte(`
- name: erp
  events: [call.*, recording.available]
  directions: [inbound]
  only: live
  schedule: [0s, 5s, 1m]
  rate: 20
  webhook:
    url: https://erp.example.com/hook
    secrets: [env:MARKAZ_ERP_SECRET]
    timeout: 20s
    allow_hosts: [erp.example.com]
`), &c, yaml.Strict())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s := c[0]
	if s.Kind() != "webhook" || len(s.Schedule) != 3 || s.Schedule[2] != time.Minute || s.Webhook.Timeout != 20*time.Second || s.Directions[0] != "inbound" {
		t.Errorf("read %+v %+v", s, s.Webhook)
	}
	out, err := yaml.Marshal(c)
	if err != nil || strings.Contains(string(out), "MARKAZ_ERP_SECRET") {
		t.Errorf("written %s, %v", out, err)
	}
}

func TestConfigFaults(t *testing.T) {
	good := func() SinkConfig {
		return SinkConfig{Name: "a", Webhook: &Webhook{URL: "https://a.example/h", Secrets: []Secret{NewSecret(secretA)}}}
	}
	for want, change := range map[string]func(*SinkConfig){
		"":                                    func(*SinkConfig) {},
		"[0].name: want small letters":        func(c *SinkConfig) { c.Name = "My CRM" },
		"[0].events[1]: no event is called":   func(c *SinkConfig) { c.Events = []string{"call.*", "cal.*"} },
		"[0].directions[0]: want inbound":     func(c *SinkConfig) { c.Directions = append(c.Directions, "in") },
		"[0].only: want live or finished":     func(c *SinkConfig) { c.Only = "now" },
		"[0].schedule: want a list":           func(c *SinkConfig) { c.Schedule = Schedule{time.Second} },
		"[0].rate: want 0":                    func(c *SinkConfig) { c.Rate = -1 },
		"[0].keep: is negative":               func(c *SinkConfig) { c.Keep = -1 },
		"[0].kind: want exactly one":          func(c *SinkConfig) { c.Webhook = nil },
		"[0].webhook.url: is missing":         func(c *SinkConfig) { c.Webhook.URL = "" },
		"[0].webhook.url: want https://":      func(c *SinkConfig) { c.Webhook.URL = "ftp://a.example/" },
		"[0].webhook.url: must hold no user":  func(c *SinkConfig) { c.Webhook.URL = "https://a:b@a.example/" },
		"[0].webhook.url: plain http":         func(c *SinkConfig) { c.Webhook.URL = "http://a.example/" },
		"[0].webhook.secrets: want at least":  func(c *SinkConfig) { c.Webhook.Secrets = nil },
		"[0].webhook.secrets[0]: want whsec_": func(c *SinkConfig) { c.Webhook.Secrets[0] = NewSecret("short") },
		"[0].webhook.timeout: is negative":    func(c *SinkConfig) { c.Webhook.Timeout = -1 },
		"[0].webhook.ca_file: open /no/such":  func(c *SinkConfig) { c.Webhook.CAFile = "/no/such" },
	} {
		c := good()
		change(&c)
		err := Config{c}.Validate()
		if want == "" {
			if err != nil {
				t.Errorf("good settings: %v", err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	if err := (Config{good(), good()}).Validate(); err == nil || !strings.Contains(err.Error(), `[1].name: another sink is called "a"`) {
		t.Errorf("two of one name: %v", err)
	}
}
