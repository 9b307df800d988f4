package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"markaz/apps/crm/hooktest"
	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/asterisk/testbed/proc"
)

const hookSecret = "whsec_" + "bWFya2F6LWRlbW8tc2VjcmV0LW5vdC1mb3ItdXNlLTEyMzQ="

// demo is the office with its people.
type demo struct {
	office *office.Office
	hook   *hooktest.Receiver
	web    *httptest.Server
	ticker *proc.Process // prints the events
	phones []*testbed.Phone
	branch *branch // without Asterisk
	desk   desk

	mu  sync.Mutex // one line at a time
	out io.Writer
}

func open(ctx context.Context, binary string) (d *demo, err error) {
	d = &demo{out: os.Stdout}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	d.say("Starting Redis, Asterisk and Markaz …")
	begin := time.Now()
	if d.hook, err = hooktest.New(hookSecret); err != nil {
		return d, err
	}
	d.web = httptest.NewServer(d.hook)
	if d.desk, err = newDesk(); err != nil {
		return d, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return d, fmt.Errorf("find cache folder: %w", err)
	}
	// Spoken prompts are kept from one demo to the next.
	prompts := filepath.Join(cache, "markaz", "demo-prompts")
	if err := os.MkdirAll(prompts, 0o755); err != nil {
		return d, fmt.Errorf("make prompts folder: %w", err)
	}
	d.office, err = office.Start(ctx, office.Options{
		Binary: binary, Sections: d.sections(prompts), Fallback: "extension:101",
		Bed: testbed.Options{Share: []string{prompts}},
	})
	if err != nil {
		return d, err
	}
	if err := d.hire(ctx); err != nil {
		return d, err
	}
	if err := d.answer(ctx); err != nil {
		return d, err
	}
	if _, err := d.openBranch(context.WithoutCancel(ctx), binary+"-legacy"); err != nil {
		return d, err
	}
	d.say("Ready after %v: three agents are registered; a branch with a Panasonic exchange and a Segal line monitor is attached.", time.Since(begin).Round(100*time.Millisecond))
	d.welcome()
	return d, d.follow()
}

// sections is the office's menu, in three languages, and its queues.
func (d *demo) sections(prompts string) map[string]string {
	return map[string]string{
		"log":     "{level: info, format: text}",
		"prompts": fmt.Sprintf("{dir: %q}", prompts),
		"ivr":     menus,
		"agents": `
  - {id: sara, name: Sara, extension: "101", auto_login: true}
  - {id: reza, name: Reza, extension: "102", auto_login: true}
  - {id: olga, name: Olga, extension: "103", auto_login: true}`,
		"queues": `
  - name: sales
    agents: [sara]
    wrapup: 2s
    announce: {at_join: true, every: 10s, position: true, wait: true}
  - name: support
    strategy: ring_all
    agents: [reza, olga]
    announce: {at_join: true, every: 10s, position: true}`,
		"recorder": "{rules: [{}]}",
		"access":   d.desk.access(),
		"spy":      "{}", "clicktocall": "{}",
		"crm": fmt.Sprintf("\n  - name: hook\n    webhook: {url: %q, secrets: [%q], allow_private: true}", d.web.URL, hookSecret),
	}
}

const menus = `
  languages: [en, fa, ru]
  person: {to: "queue:support"}
  routes:
    - {number: "02100000099", to: "menu:night"}
    - {to: "menu:main"}
  hours:
    holiday: {zone: Asia/Tehran, override: closed, closed: "message:closed"}
  messages:
    closed:
      prompt: [{text: {en: "We are closed today.", fa: "امروز تعطیل هستیم.", ru: "Сегодня мы закрыты."}}]
  menus:
    main:
      prompt: [{text: {en: "For sales, press one. For support, press two.", fa: "برای فروش عدد یک و برای پشتیبانی عدد دو را بزنید.", ru: "Отдел продаж, нажмите один. Поддержка, нажмите два."}}]
      keys: {"1": "queue:sales", "2": "queue:support", "7": {to: "menu:main", language: fa}}
      dial_extension: {length: 3}
      inter_digit: 1s
    night:
      prompt: [{text: {en: "Welcome.", fa: "خوش آمدید.", ru: "Добро пожаловать."}}]
      hours: holiday
      keys: {"1": "queue:sales"}`

// hire registers the agents' phones: they answer after a moment and talk.
func (d *demo) hire(ctx context.Context) error {
	for i, pause := range []time.Duration{3 * time.Second, 2 * time.Second, 4 * time.Second} {
		p, err := d.office.Bed.Phone(testbed.Extension(i))
		if err != nil {
			return err
		}
		d.phones = append(d.phones, p)
		p.OnCall(func(c *testbed.Conversation) {
			testbed.AnswerAfter(pause)(c)
			c.Speak()
		})
		if err := p.Register(ctx); err != nil {
			return err
		}
	}
	return nil
}

// follow prints the events of all calls as they happen.
func (d *demo) follow() error {
	cmd := exec.Command(d.office.Binary(), "events", "--follow", "--since", "1s", "--config", d.office.ConfigFile())
	cmd.Stdout, cmd.Stderr = lines{d}, os.Stderr
	p, err := proc.Start(cmd)
	d.ticker = p
	return err
}

// lines is a writer that takes its turn with say.
type lines struct{ d *demo }

func (l lines) Write(p []byte) (int, error) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	return l.d.out.Write(p)
}

func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, format+"\n", args...)
}

// addresses tells where to look.
func (d *demo) addresses() {
	o := d.office
	d.say(`
Everything is running.
  dashboard     %[3]s (boss, password %[10]s)
  call records  %[1]s calls --config %[2]s
  live events   %[1]s events --follow --config %[2]s
  health        %[3]s/readyz
  metrics       %[3]s/metrics
  SIP           %[4]s (a call that is not registered reaches the menu; phones 104 to 110 are free, password %[5]s)
  ARI           %[6]s
  Redis         %[7]s
  recordings    %[8]s
  log           %[9]s`,
		o.Binary(), o.ConfigFile(), o.Web(), o.Bed.SIPAddr(), testbed.Password, o.Bed.ARIURL(), o.Redis.Addr(),
		filepath.Join(o.Dir(), "recordings"), o.LogFile(), d.desk.password)
}

// Close ends everything.
func (d *demo) Close() error {
	for _, p := range d.phones {
		p.Close()
	}
	if d.ticker != nil {
		d.ticker.Stop(time.Second)
	}
	var err error
	if d.branch != nil {
		err = d.branch.close()
	}
	if d.office != nil {
		err = errors.Join(err, d.office.Close())
	}
	if d.web != nil {
		d.web.Close()
		http.DefaultClient.CloseIdleConnections()
	}
	return err
}
