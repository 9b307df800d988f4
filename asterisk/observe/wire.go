package observe

import (
	"encoding/json"
	"fmt"
	"time"
)

// message is an event of Asterisk as ARI writes it; see the api-docs
// events.json, channels.json and bridges.json of its sources.
type message struct {
	Type      string `json:"type"`
	Timestamp stamp  `json:"timestamp"`

	Channel *wireChannel `json:"channel"`
	Bridge  *wireBridge  `json:"bridge"`

	Cause     int  `json:"cause"`
	TechCause int  `json:"tech_cause"`
	Soft      bool `json:"soft"`

	App     string `json:"dialplan_app"`
	AppData string `json:"dialplan_app_data"`

	Variable string `json:"variable"`
	Value    string `json:"value"`
	Digit    string `json:"digit"`

	Caller     *wireChannel `json:"caller"`
	Peer       *wireChannel `json:"peer"`
	DialString string       `json:"dialstring"`
	DialStatus string       `json:"dialstatus"`

	Result     string       `json:"result"`
	Exten      string       `json:"exten"`
	FirstLeg   *wireChannel `json:"transferer_first_leg"`
	SecondLeg  *wireChannel `json:"transferer_second_leg"`
	Transferee *wireChannel `json:"transferee"`
	Target     *wireChannel `json:"transfer_target"`
}

type wireChannel struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	State    string `json:"state"`
	Created  stamp  `json:"creationtime"`
	Caller   party  `json:"caller"`
	Dialplan struct {
		Context string `json:"context"`
		Exten   string `json:"exten"`
		App     string `json:"app_name"`
		Data    string `json:"app_data"`
	} `json:"dialplan"`
}

type party struct {
	Name   string `json:"name"`
	Number string `json:"number"`
}

type wireBridge struct {
	ID         string   `json:"id"`
	Class      string   `json:"bridge_class"`
	Technology string   `json:"technology"`
	Channels   []string `json:"channels"`
}

// stamp is a time as ARI writes it, such as 2026-11-22T03:29:38.474+0000.
type stamp struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(b []byte) (err error) {
	var text string
	if err := json.Unmarshal(b, &text); err != nil || text == "" {
		return err
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999Z0700", time.RFC3339Nano} {
		if s.Time, err = time.Parse(layout, text); err == nil {
			s.Time = s.UTC()
			return nil
		}
	}
	return fmt.Errorf("read time of Asterisk: %w", err)
}

// Channel states as Asterisk writes them.
const (
	stateUp   = "Up"
	stateRing = "Ring" // it calls
)
