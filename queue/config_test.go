package queue

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const validYAML = `
max_no_answers: 3
queues:
  - name: sales
    strategy: ring_all
    agents: [ali, 102]
    ring_timeout: 15s
    retry: 4s
    wrapup: 10s
    music: calm
    language: fa
    record: true
    announce: {at_join: true, every: 30s, position: true, wait: true, min_improvement: 1}
    max_wait: {after: 10m, to: "extension:101"}
    max_length: {callers: 50, to: "queue:night"}
    no_agents: {to: "message:closed", waiting: true}
    exit: {key: "*", to: "menu:main"}
    request_key: "1"
    service_level: 20s
    short_abandon: 5s
  - name: night
    agents: [ali]
agents:
  - {id: ali, name: Ali, extension: "101", auto_login: true}
  - {id: mina, name: Mina, extension: "102"}
`

func TestConfigReadsFromYAML(t *testing.T) {
	var cfg Config
	if err := yaml.UnmarshalWithOptions([]byte(validYAML), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	q, ok := f.Queue("night")
	if !ok || q.Strategy != LongestIdle || q.RingTimeout != defaultRing || q.Retry != defaultRetry ||
		q.ServiceLevel != defaultService || q.ShortAbandon != defaultShort || q.Announce.MinImprovement != 1 {
		t.Errorf("defaults are not filled in: %+v", q)
	}
	if q, _ := f.Queue("sales"); q.Agents[1] != "102" || q.MaxLength.Callers != 50 || q.Exit.To != "menu:main" {
		t.Errorf("sales is read as %+v", q)
	}
	if a, ok := f.Agent("102"); !ok || a.ID != "mina" || a.Queues[0] != "sales" || a.State != Offline {
		t.Errorf("102 is %+v", a)
	}
	if _, ok := f.Agent("103"); ok {
		t.Error("103 is somebody")
	}
}

func TestConfigFaults(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"no name", "name: night", "name: ''", `queues[1].name: is missing`},
		{"name twice", "name: night", "name: sales", `queues[1].name: queues[0] has the name "sales" too`},
		{"strategy", "ring_all", "ringall", `queues[0].strategy: "ringall" is not longest_idle or ring_all`},
		{"nobody", "agents: [ali]", "agents: []", `queues[1].agents: is empty: nobody could ever answer`},
		{"stranger", "[ali, 102]", "[ali, 103]", `queues[0].agents[1]: no agent has the id or extension "103"`},
		{"twice in a queue", "[ali, 102]", "[ali, 101]", `queues[0].agents[1]: "101" is in this queue already`},
		{"short ring", "ring_timeout: 15s", "ring_timeout: 15ms", `queues[0].ring_timeout: 15ms is shorter than 1s`},
		{"short every", "every: 30s", "every: 1s", `queues[0].announce.every: 1s is shorter than 5s`},
		{"negative wrap-up", "wrapup: 10s", "wrapup: -1s", `queues[0].wrapup: -1s is shorter than 0s`},
		{"negative length", "callers: 50", "callers: -1", `queues[0].max_length.callers: -1 is negative`},
		{"negative improvement", "min_improvement: 1", "min_improvement: -1", `queues[0].announce.min_improvement: -1 is negative`},
		{"nothing to tell", "position: true, wait: true", "position: false", `queues[0].announce: neither position nor wait is on, so nothing would be told`},
		{"no way out", `{after: 10m, to: "extension:101"}`, "{after: 10m}", `queues[0].max_wait.to: is missing: where to?`},
		{"no time", `{after: 10m, to: "extension:101"}`, `{to: hangup}`, `queues[0].max_wait.after: is missing: when?`},
		{"no number", `{callers: 50, to: "queue:night"}`, `{to: hangup}`, `queues[0].max_length.callers: is missing: when?`},
		{"no agents, nowhere", `{to: "message:closed", waiting: true}`, `{waiting: true}`, `queues[0].no_agents.to: is missing: where to?`},
		{"key", `key: "*"`, `key: "**"`, `queues[0].exit.key: "**" is not one key of a phone`},
		{"request key", `request_key: "1"`, `request_key: "x"`, `queues[0].request_key: "x" is not one key of a phone`},
		{"same key", `request_key: "1"`, `request_key: "*"`, `queues[0].request_key: "*" leaves the queue already`},
		{"no such queue", `queue:night`, `queue:nigth`, `queues[0].max_length.to: there is no queue "nigth"`},
		{"round", `to: "message:closed"`, `to: "queue:sales"`, `queues[0]: max_length and no_agents lead back to this queue: a caller would go round for ever`},
		{"agent without id", "id: mina, ", "", `agents[1].id: is missing`},
		{"agent without phone", `extension: "102"`, `name2: x`, `name2`},
		{"agent twice", `extension: "102"`, `extension: "101"`, `agents[1].extension: "101" is agents[0] already`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(validYAML, tt.old, tt.new, 1)
			if text == validYAML {
				t.Fatalf("%q is not in the sample", tt.old)
			}
			var cfg Config
			err := yaml.UnmarshalWithOptions([]byte(text), &cfg, yaml.Strict())
			if err == nil {
				err = cfg.Validate()
				if _, newErr := New(cfg); newErr == nil {
					t.Error("New takes it")
				}
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestConfigLoops tells a round trip over several queues from a mere chain.
func TestConfigLoops(t *testing.T) {
	cfg := Config{
		Agents: []AgentConfig{{ID: "a", Extension: "1"}},
		Queues: []QueueConfig{
			{Name: "x", Agents: []string{"a"}, NoAgents: NoAgents{To: "queue:y"}},
			{Name: "y", Agents: []string{"a"}, MaxLength: MaxLength{Callers: 1, To: "queue:z"}},
			{Name: "z", Agents: []string{"a"}, MaxWait: MaxWait{After: 1e9, To: "queue:x"}},
		},
	}
	if err := cfg.Validate(); err != nil {
		t.Errorf("a chain that waits in between is refused: %v", err)
	}
	cfg.Queues[2].NoAgents.To = "queue:x"
	err := cfg.Validate()
	for _, path := range []string{"queues[0]: ", "queues[1]: ", "queues[2]: "} {
		if err == nil || !strings.Contains(err.Error(), path+"max_length and no_agents lead back") {
			t.Errorf("%s is not named in %v", path, err)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	f, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Join(simStart, Caller{Call: "c", Queue: "x"}); err == nil || err.Error() != `join queue "x": unknown` {
		t.Errorf("join says %v", err)
	}
	if _, err := f.Ask(simStart, "x", WishPaused, ""); err == nil || err.Error() != `set state of agent "x": unknown` {
		t.Errorf("ask says %v", err)
	}
}
