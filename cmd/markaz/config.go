package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"markaz/apps"
	"markaz/apps/clicktocall"
	"markaz/apps/crm"
	"markaz/apps/dashboard"
	"markaz/apps/history"
	"markaz/apps/inbound"
	"markaz/apps/spy"
	"markaz/asterisk"
	"markaz/call/number"
	"markaz/dialplan"
	"markaz/ivr"
	"markaz/ivr/prompt"
	"markaz/lang"
	"markaz/operator"
	"markaz/queue"
	"markaz/recorder"
	"markaz/stream"
)

// config is the whole file; each room knows its own part.
type config struct {
	DataDir  string             `yaml:"data_dir"` // spool, prompts and recordings, unless said otherwise
	Log      operator.LogConfig `yaml:"log"`
	HTTP     httpConfig         `yaml:"http"`
	Access   accessConfig       `yaml:"access"`
	Asterisk asterisk.Config    `yaml:"asterisk"`
	Dialplan dialplanConfig     `yaml:"dialplan"`
	Stream   stream.Config      `yaml:"stream"`
	Loop     apps.Config        `yaml:"loop"`
	IVR      ivr.Config         `yaml:"ivr"`
	Inbound  inbound.Config     `yaml:"inbound"`
	Floor    queue.Config       `yaml:",inline"` // queues, agents
	Prompts  prompt.Config      `yaml:"prompts"`
	Sidecars sidecars           `yaml:"sidecars"`
	Recorder recorder.Config    `yaml:"recorder"`
	CRM      crm.Config         `yaml:"crm"`
	Public   publicConfig       `yaml:"public"`
	Identify crm.IdentifyConfig `yaml:"identify"`
	History  history.Config     `yaml:"history"`

	Numbers     number.Plan        `yaml:"numbers"` // how numbers are dialled here
	Spy         spy.Config         `yaml:"spy"`
	ClickToCall clicktocall.Config `yaml:"clicktocall"`
	Dash        dashboard.Config   `yaml:"dashboard"`
}

// dialplanConfig is what the dialplan file needs beyond the rest.
type dialplanConfig struct {
	Fallback string `yaml:"fallback"` // extension:101, queue:NAME of queues.conf, or sound:PATH
	Digits   []int  `yaml:"digits"`   // how many digits extensions have
	AGI      string `yaml:"agi"`      // host:port of FastAGI as Asterisk reaches it; default asterisk.agi.listen
}

func defaults() *config {
	return &config{
		DataDir:  "/var/lib/markaz",
		Log:      operator.LogConfig{Level: "info", Format: "text"},
		HTTP:     httpConfig{Listen: "127.0.0.1:8090"},
		Asterisk: asterisk.DefaultConfig(),
		Dialplan: dialplanConfig{Fallback: "sound:vm-goodbye", Digits: []int{3, 4}},
	}
}

// load reads, completes and checks the configuration. Its error is *operator.Faults
// where the operator can mend something.
func load(path string) (*config, error) {
	cfg, _, err := read(path)
	return cfg, err
}

// loadToServe refuses, too, what would leave callers in silence or at a dead
// end.
func loadToServe(path string) (*config, error) {
	cfg, tree, err := read(path)
	if err != nil {
		return nil, err
	}
	bad := &operator.Faults{File: path}
	for _, f := range findings(cfg, lang.New().In("en")) {
		if f.Severity == ivr.Error {
			bad.List = append(bad.List, operator.Fault{Path: f.Path, Text: f.Message + " " + f.Fix})
		}
	}
	if len(bad.List) == 0 {
		return cfg, nil
	}
	bad.Locate(tree)
	return nil, bad
}

func read(path string) (*config, *ast.File, error) {
	data, err := operator.ReadFile(path)
	if err != nil {
		return nil, nil, exit(exitConfig, "%w", err)
	}
	cfg := defaults()
	tree, err := operator.Decode(path, data, cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := operator.Override(os.Environ(), cfg); err != nil {
		return nil, nil, exit(exitConfig, "%w", err)
	}
	cfg.complete()
	if err := errors.Join(cfg.reveal(), cfg.Sidecars.reveal(), cfg.revealAccess(), cfg.validate()); err != nil {
		return nil, nil, operator.FaultsOf(path, tree, err)
	}
	return cfg, tree, nil
}

// complete puts what has no place of its own into the data folder.
func (c *config) complete() {
	in := func(dst *string, elem string) {
		if *dst == "" {
			*dst = filepath.Join(c.DataDir, elem)
		}
	}
	in(&c.Stream.Spool.Dir, "spool")
	in(&c.Prompts.Dir, "prompts")
	in(&c.Recorder.Dir, "recordings")
	in(&c.History.File, "history.db")
	c.recordQueues()
	if c.Loop.LeaseEvery == 0 {
		c.Loop.LeaseEvery = c.Asterisk.Lease / 3 // one may come late, and one get lost
	}
	if c.Dialplan.AGI == "" {
		c.Dialplan.AGI = c.Asterisk.AGI.Listen
	}
}

// recordQueues turns the switch of a queue into a rule of the recorder.
func (c *config) recordQueues() {
	for _, q := range c.Floor.Queues {
		if q.Record {
			c.Recorder.Policy.Rules = append(c.Recorder.Policy.Rules, recorder.Rule{Queue: q.Name})
		}
	}
}

// reveal reads secrets that are given by reference.
func (c *config) reveal() error {
	var errs []error
	for path, field := range map[string]*string{
		"asterisk: ari: password": &c.Asterisk.ARI.Password,
		"asterisk: agi: token":    &c.Asterisk.AGI.Token,
		"http: token":             (*string)(&c.HTTP.Token),
		"public: secret":          (*string)(&c.Public.Secret),
		"stream: redis: password": (*string)(&c.Stream.Redis.Password),
	} {
		text, err := crm.NewSecret(*field).Reveal()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		*field = text
	}
	return errors.Join(errs...)
}

func (c *config) validate() error {
	var errs []error
	part := func(key string, err error) {
		if err != nil {
			errs = append(errs, under(key, err))
		}
	}
	part("log", c.Log.Validate())
	part("http", c.HTTP.Validate())
	part("access", c.Access.Validate())
	part("asterisk", c.Asterisk.Validate())
	part("stream", c.Stream.Validate())
	part("loop", c.Loop.Validate())
	if c.Loop.LeaseEvery > c.Asterisk.Lease/2 {
		part("loop", fmt.Errorf("lease_every: want at most half of asterisk.lease, which is %v, have %v", c.Asterisk.Lease, c.Loop.LeaseEvery))
	}
	part("ivr", c.IVR.Validate(lang.New()))
	part("inbound", c.Inbound.Validate())
	part("", c.Floor.Validate())
	part("prompts", c.Prompts.Validate())
	part("recorder", c.Recorder.Validate())
	part("", c.Sidecars.Validate())
	part("crm", c.CRM.Validate())
	part("public", c.Public.Validate())
	for i, sink := range c.CRM {
		if c.Public.URL == "" && sink.NeedsLinks() {
			part("crm", fmt.Errorf("[%d].%s: addresses of recordings need public.url", i, sink.Kind()))
		}
	}
	part("identify", c.Identify.Validate())
	part("history", c.History.Validate())
	part("", c.validateRequests())
	part("dashboard", c.Dash.Validate())
	part("dialplan", c.dialplan().Validate())
	return errors.Join(errs...)
}

func under(key string, err error) error {
	if key == "" {
		return err
	}
	return fmt.Errorf("%s: %w", key, err)
}

// dialplan gives the site's dialplan options.
func (c *config) dialplan() dialplan.Options {
	return dialplan.Options{
		AGI: c.Dialplan.AGI, App: c.Asterisk.ARI.App, Lease: int(c.Asterisk.Lease.Seconds()),
		Fallback: c.Dialplan.Fallback, Digits: c.Dialplan.Digits,
		Extension: c.Asterisk.ExtensionEndpoint, Trunk: c.trunk(),
	}
}

// trunk is the dial string of outside numbers by the one trunk that is configured.
func (c *config) trunk() string {
	return strings.ReplaceAll(c.Asterisk.TrunkEndpoint, "{trunk}", cmp.Or(c.Inbound.Trunk, "trunk"))
}
