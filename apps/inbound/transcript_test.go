package inbound

import (
	"cmp"
	"encoding/json"
	"flag"
	"strconv"
	"testing"
	"time"

	"markaz/apps"
	"markaz/apps/apptest"
	"markaz/call"
	"markaz/ivr"
	"markaz/lang"
	"markaz/queue"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

// voice says positions and waits as sounds of that name.
type voice struct{}

func (voice) Position(_ string, n int) []call.Prompt {
	return []call.Prompt{{Kind: call.Sound, Value: "position-" + strconv.Itoa(n)}}
}

func (voice) Wait(_ string, n int) []call.Prompt {
	return []call.Prompt{{Kind: call.Sound, Value: "wait-" + strconv.Itoa(n)}}
}

func (voice) Kept(string) []call.Prompt { return []call.Prompt{{Kind: call.Sound, Value: "kept"}} }

type noSpeech struct{}

func (noSpeech) Text(string, string) (string, bool) { return "said", true }
func (noSpeech) Tone(string) (string, bool)         { return "tone", true }

func office() (ivr.Config, queue.Config) {
	sound := func(name string) []ivr.Piece { return []ivr.Piece{{Sound: name}} }
	menus := ivr.Config{
		Person: ivr.Person{To: "queue:sales"},
		Routes: []ivr.Route{
			{Number: "0211", To: "queue:sales"},
			{Number: "0212", To: "extension:102"},
			{Number: "0213", To: "external:09121234567"},
			{To: "menu:main"},
		},
		Menus: map[string]ivr.Menu{"main": {
			Prompt: sound("welcome"),
			Keys:   map[string]ivr.Option{"1": {To: "queue:sales"}, "2": {To: "extension:103"}},
		}},
		WrongKey: sound("wrong"), Silence: sound("silence"),
	}
	floor := queue.Config{
		Agents: []queue.AgentConfig{
			{ID: "sara", Extension: "101", AutoLogin: true},
			{ID: "reza", Extension: "102", AutoLogin: true},
		},
		Queues: []queue.QueueConfig{{
			Name: "sales", Agents: []string{"sara", "reza"}, RingTimeout: 15 * time.Second, Wrapup: 5 * time.Second,
			Announce: queue.AnnounceConfig{AtJoin: true, Position: true, Every: 30 * time.Second},
			Exit:     queue.Exit{Key: "9", To: "menu:main"}, Music: "calm",
		}},
	}
	return menus, floor
}

// machines is the application in that office. The configuration may say where
// to when a phone does not answer, and which extensions may be dialled.
func machines(t *testing.T, config string) []apps.Machine {
	var more struct {
		NoAnswer ivr.Destination `json:"no_answer"`
		Dial     string          `json:"dial"`
	}
	if err := json.Unmarshal([]byte(config), &more); err != nil {
		t.Fatal(err)
	}
	menus, agents := office()
	if more.Dial != "" {
		main := menus.Menus["main"]
		main.Extension = &ivr.Extension{Pattern: more.Dial}
		menus.Menus["main"] = main
	}
	book, err := ivr.NewBook(menus, noSpeech{}, lang.New())
	if err != nil {
		t.Fatal(err)
	}
	floor, err := queue.New(agents)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Trunk: "trunk", NoAnswer: cmp.Or(more.NoAnswer, "queue:sales"), Music: "ring"}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return []apps.Machine{New(cfg, book, floor, voice{})}
}

// stateless shortens a remembered state to its phase.
func stateless(text string) string {
	var m memory
	if json.Unmarshal([]byte(text), &m) != nil || len(text) > 1000 {
		return "broken"
	}
	return string(m.Phase)
}

func TestTranscripts(t *testing.T) { apptest.Transcripts(t, *update, stateless, machines) }
