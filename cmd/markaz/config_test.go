package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// markaz runs a command in this process.
func markaz(args ...string) (out, errs string, code int) {
	var o, e bytes.Buffer
	code = run(args, console{&o, &e})
	return o.String(), e.String(), code
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "markaz.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheExampleIsInOrder(t *testing.T) {
	out, errs, code := markaz("check", "--config", "../../deploy/markaz.yaml", "--sounds", "")
	if code != 0 || strings.Contains(out, "warning: ") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// Every fault is told at once, each with its line and what to do.
func TestFaultsAreToldWithTheirLines(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"unknown keys": {"asterisk:\n  ari: {password: x}\n  lese: 5s\nquues: []\n", []string{
			`:3: asterisk.lese: unknown key; did you mean "lease"?`, `:4: quues: unknown key; did you mean "queues"?`,
		}},
		"wrong values": {"asterisk:\n  ari:\n    url: nowhere\n    password: x\n  lease: 1s\nagents:\n  - {id: a, extension: \"101\"}\nqueues:\n  - name: q\n    agents: [b]\n", []string{
			`:3: asterisk.ari.url: want http://`, `:5: asterisk.lease: want whole seconds`, `:10: queues[0].agents[0]: no agent has the id or extension "b"`,
		}},
		"a missing value has the line of what is above it": {"asterisk:\n  ari: {username: x}\n", []string{`:2: asterisk.ari.password: is empty`}},
		"values of another kind": {"asterisk: {agi: {max_sessions: many}, lease: 5}\nagents: 5\nqueues: [{record: maybe, wrapup: soon}]\n", []string{
			`:1: asterisk.agi.max_sessions: want a whole number, have "many"`, `:1: asterisk.lease: want a length of time such as 20s or 10m, have "5"`,
			`:2: agents: want a list, have "5"`, `:3: queues[0].record: want true or false, have "maybe"`, `:3: queues[0].wrapup: want a length of time`,
		}},
		"remarks alone":        {"# nothing yet\n", []string{`markaz.yaml: asterisk.ari.password: is empty`}},
		"a tab":                {"http:\n\tlisten: x\n", []string{`:2: a tab stands where blanks must`}},
		"not YAML":             {"asterisk: [\n", []string{"markaz.yaml"}},
		"menus":                {"asterisk:\n  ari: {password: x}\nivr:\n  routes: [{to: \"menu:nowhere\"}]\n", []string{":4: ivr.routes[0].to: "}},
		"a secret that is not": {"asterisk:\n  ari: {password: \"env:NOT_THERE\"}\n", []string{":2: asterisk.ari.password: environment variable NOT_THERE is not set"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, code := markaz("check", "--config", write(t, tc.text))
			if code != exitConfig {
				t.Errorf("exit %d", code)
			}
			for _, want := range tc.want {
				if !strings.Contains(errs, want) {
					t.Errorf("no %q in\n%s", want, errs)
				}
			}
		})
	}
}

func TestTheEnvironmentOverrides(t *testing.T) {
	path := write(t, "asterisk:\n  ari: {password: one}\n")
	t.Setenv("MARKAZ_ASTERISK__ARI__PASSWORD", "two")
	t.Setenv("MARKAZ_ASTERISK__LEASE", "20s")
	cfg, err := load(path)
	if err != nil || cfg.Asterisk.ARI.Password != "two" || cfg.Asterisk.Lease != 20*time.Second {
		t.Errorf("%v %+v", err, cfg)
	}
	t.Setenv("MARKAZ_ASTERISK__NOTHING", "x")
	if _, errs, code := markaz("check", "--config", path); code != exitConfig || !strings.Contains(errs, "MARKAZ_ASTERISK__NOTHING") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestSecretsAreReadByReference(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "asterisk:\n  ari: {password: \"file:" + file + "\"}\nhttp: {token: \"env:MARKAZ_TEST_TOKEN\"}\n"
	if _, err := load(write(t, text)); err == nil {
		t.Fatal("a variable that is not set was taken")
	}
	t.Setenv("MARKAZ_TEST_TOKEN", "tok")
	cfg, err := load(write(t, text))
	if err != nil || cfg.Asterisk.ARI.Password != "from-file" || string(cfg.HTTP.Token) != "tok" {
		t.Errorf("%v", err)
	}
	if cfg.HTTP.Token.String() != "****" {
		t.Error("the token shows itself")
	}
}

func TestTheDialplanIsInstalledOnce(t *testing.T) {
	dir := t.TempDir()
	first, errs, code := markaz("dialplan", "install", "--dir", dir, "--config", "../../deploy/markaz.yaml")
	if code != 0 || !strings.Contains(first, "wrote") || !strings.Contains(first, "#include markaz.conf") || !strings.Contains(first, "context=markaz-inbound") {
		t.Fatalf("exit %d: %s%s", code, first, errs)
	}
	if err := os.WriteFile(filepath.Join(dir, "extensions_custom.conf"), []byte("#include markaz.conf\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, _, _ := markaz("dialplan", "install", "--dir", dir, "--config", "../../deploy/markaz.yaml")
	if !strings.Contains(second, "up to date") || !strings.Contains(second, "includes it already") {
		t.Error(second)
	}
	dry, _, _ := markaz("dialplan", "install", "--dry-run", "--dir", t.TempDir(), "--config", "../../deploy/markaz.yaml")
	if !strings.Contains(dry, "would write") {
		t.Error(dry)
	}
}

func TestUsage(t *testing.T) {
	if _, errs, code := markaz("serv"); code != exitConfig || errs == "" {
		t.Errorf("exit %d: %s", code, errs)
	}
	if out, _, code := markaz("version"); code != 0 || !strings.HasPrefix(out, "markaz ") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, errs, code := markaz("calls", "--config", write(t, "asterisk:\n  ari: {password: x}\nstream: {redis: {addr: \"127.0.0.1:1\"}}\n")); code != exitUnreachable || !strings.Contains(errs, "is Redis up") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if out, _, code := markaz("doctor", "--config", write(t, "asterisk:\n  ari: {password: x, url: \"http://127.0.0.1:1/ari\"}\nstream: {redis: {addr: \"127.0.0.1:1\"}}\n")); code != exitUnreachable || !strings.Contains(out, "✗ ARI") || !strings.Contains(out, "→ enable http.conf") {
		t.Errorf("exit %d: %s", code, out)
	}
}
