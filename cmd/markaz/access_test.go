package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"markaz/access"
)

// accessConfigText is a configuration that needs nothing but a folder.
func accessConfigText(t *testing.T) string {
	t.Helper()
	return "data_dir: " + filepath.ToSlash(t.TempDir()) + `
asterisk: {ari: {password: x}}
agents:
  - {id: sara, name: Sara, extension: "101"}
queues:
  - {name: sales, agents: [sara]}
access:
  password: {memory_kib: 64, passes: 1}
  teams: [{name: sales, queues: [sales]}]
  roles: {agent: {download: yes, dial: no}}
  users:
    - {name: sara, role: agent, teams: [sales], rights: {listen: "team, not:100"}}
`
}

func TestAccessConfiguration(t *testing.T) {
	cfg, err := load(write(t, accessConfigText(t)))
	if err != nil {
		t.Fatal(err)
	}
	u, ok := access.NewPolicy(cfg.Access.Config, cfg.people(), nil, nil).User("sara")
	if !ok || u.Extension() != "101" || len(u.Queues) != 1 || !u.Has(access.Download) || u.Has(access.Dial) || u.Rights()[access.Listen].String() != "team, not:100" {
		t.Errorf("%+v %v", u, u.Rights())
	}
	_, stderr, code := markaz("check", "--config", write(t, strings.NewReplacer("role: agent", "role: boss", "team, not:100", "everything").Replace(accessConfigText(t))))
	if code != exitConfig || !strings.Contains(stderr, "everything") {
		t.Errorf("%d %s", code, stderr)
	}
	_, stderr, code = markaz("check", "--config", write(t, strings.ReplaceAll(accessConfigText(t), "teams: [sales]", "teams: [night]")))
	if code != exitConfig || !strings.Contains(stderr, `access.users[0].teams: there is no team "night"`) {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestAccessCommands(t *testing.T) {
	path := write(t, accessConfigText(t))
	do := func(want int, args ...string) string {
		t.Helper()
		stdout, stderr, code := markaz(append(args, "--config", path)...)
		if code != want {
			t.Fatalf("%v: %d %s", args, code, stderr)
		}
		return stdout
	}
	if out := do(exitOK, "user", "add", "mina", "--role", "supervisor", "--team", "sales", "--extension", "110", "--chance"); len(strings.TrimSpace(out)) != 24 {
		t.Errorf("password %q", out)
	}
	do(exitConfig, "user", "add", "mina", "--chance")
	do(exitConfig, "user", "add", "sara", "--chance")
	do(exitConfig, "user", "add", "a b", "--chance")
	do(exitConfig, "user", "add", "omid", "--team", "night", "--chance")
	do(exitConfig, "user", "add", "omid", "--role", "king", "--chance")
	if out := do(exitOK, "user", "list"); !regexp.MustCompile(`mina +supervisor +mina +110 +sales +active\nsara +agent +Sara +101`).MatchString(out) {
		t.Errorf("%s", out)
	}
	do(exitOK, "user", "passwd", "mina", "--chance")
	do(exitFailure, "user", "passwd", "sara", "--chance")
	secret := strings.TrimSpace(do(exitOK, "token", "add", "reports", "--role", "supervisor", "--team", "sales", "--only", "reports"))
	do(exitConfig, "token", "add", "x")
	do(exitConfig, "token", "add", "x", "--user", "nobody")
	do(exitConfig, "token", "add", "x", "--role", "king")
	do(exitConfig, "token", "add", "x", "--role", "agent", "--only", "fly")
	id := strings.Split(secret, "_")[1]
	if out := do(exitOK, "token", "list"); !strings.Contains(out, id) || strings.Contains(out, secret) {
		t.Errorf("%s", out)
	}
	do(exitOK, "token", "revoke", id)
	do(exitFailure, "token", "revoke", id)
	do(exitOK, "user", "remove", "mina")
	do(exitFailure, "user", "remove", "mina")
	if out := do(exitOK, "audit"); !strings.Contains(out, "user.passwd") || !strings.Contains(out, "token-revoke") || strings.Contains(out, secret) {
		t.Errorf("%s", out)
	}
	if out := do(exitOK, "audit", "verify"); !strings.Contains(out, "7 records, none changed") {
		t.Errorf("%s", out)
	}
	do(exitFailure, "audit", "verify", "--known", "3:00ff")
	do(exitConfig, "audit", "verify", "--known", "x")
}
