//go:build odoo

package crm

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"markaz/apps/crm/fault"
)

// realOdoo starts an Odoo and sets up what the stand-in has, too. ODOO_URL
// names one that runs already.
func realOdoo(t *testing.T) (address string, admin *odooAPI) {
	t.Helper()
	address = os.Getenv("ODOO_URL")
	if address == "" {
		address = "http://127.0.0.1:18070"
		cmd := exec.Command("../../scripts/odoo.sh", "run", "18070", "1200")
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // the namespaces and all in them end with it; it heeds no SIGTERM
			_ = cmd.Wait()
		})
	}
	cfg := odooSettings(address)
	cfg.Login, cfg.Password = "admin", NewSecret("admin")
	admin, err := newOdooAPI(cfg, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.web.client.CloseIdleConnections)
	for begin := time.Now(); ; time.Sleep(time.Second) {
		if _, err = admin.logIn(context.Background()); err == nil {
			break
		}
		if time.Since(begin) > 2*time.Minute {
			t.Fatal(err)
		}
	}
	for _, u := range [][3]string{{"telephony", "Telephony", ""}, {"sara", "Sara", "101"}, {"reza", "Reza", "102"}} {
		loadReal(t, admin, "res.users", "user_"+u[0], map[string]any{
			"login": u[0], "name": u[1], "phone": u[2], "email": u[0] + "@example.com", "password": "hunter22", "groups_id/id": "base.group_user,base.group_partner_manager",
		})
	}
	loadReal(t, admin, "res.partner", "ali", map[string]any{"name": "Ali Ahmadi", "mobile": "+98 (912) 123-4567"})
	loadReal(t, admin, "res.partner", "other", map[string]any{"name": "Other", "phone": "0912 123 45 68"})
	return address, admin
}

func loadReal(t *testing.T, api *odooAPI, model, name string, fields map[string]any) {
	t.Helper()
	if _, err := api.load(context.Background(), model, "test_"+name, fields); err != nil {
		t.Fatal(err)
	}
}

// forget removes what an earlier run has told.
func forgetReal(t *testing.T, admin *odooAPI) {
	t.Helper()
	ctx := context.Background()
	for model, domain := range map[string][]any{
		"mail.message":  {[]any{"message_id", "=like", "%@markaz>"}},
		"ir.attachment": {[]any{"name", "=", "x.wav"}},
		"mail.activity": {[]any{"activity_type_id.category", "=", "phonecall"}},
	} {
		var ids []int
		if err := admin.do(ctx, model, "search", []any{domain}, nil, &ids); err != nil {
			t.Fatal(err)
		}
		if len(ids) > 0 {
			if err := admin.do(ctx, model, "unlink", []any{ids}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The same calls, with the same faults, end in a real Odoo as in its stand-in.
func TestRealOdoo(t *testing.T) {
	address, admin := realOdoo(t)
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("finds", func(t *testing.T) {
		c := realConn(t, address, nil)
		if err := c.Test(context.Background()); err != nil {
			t.Fatal(err)
		}
		for number, want := range map[string]string{"09121234567": "Ali Ahmadi", "+989121234567": "Ali Ahmadi", "09121234568": "Other", "09131234567": ""} {
			if id, name, err := c.Find(context.Background(), number); err != nil || name != want {
				t.Errorf("%s: %s %s %v", number, id, name, err)
			}
		}
		users, err := c.Users(context.Background(), nil)
		have := map[string]string{}
		for _, u := range users {
			have[u.Extension] = u.Name
		}
		if err != nil || have["101"] != "Sara" || have["102"] != "Reza" {
			t.Errorf("users %v %v", users, err)
		}
	})
	t.Run("problems", func(t *testing.T) {
		for code, change := range map[string]func(*Odoo){
			"credentials": func(o *Odoo) { o.Password = NewSecret("wrong") },
			"database":    func(o *Odoo) { o.Database = "nothing" },
			"address":     func(o *Odoo) { o.URL += "/nowhere" },
		} {
			if err := realConn(t, address, change).Test(context.Background()); problemCode(err) != code {
				t.Errorf("%s: %v", code, err)
			}
		}
	})
	t.Run("activity", func(t *testing.T) {
		forgetReal(t, admin)
		b := realBench(target, func() {})
		c := &clock{at: t0}
		s := b.start(c)
		defer s.srv.Close()
		s.config.Odoo.Activity = true
		b.deliver(t, s, c, shapes()["missed by a group"].events, false)
		var todo []struct {
			Summary string `json:"summary"`
			User    []any  `json:"user_id"`
		}
		domain := []any{[]any{"res_model", "=", "res.partner"}}
		if err := admin.do(context.Background(), "mail.activity", "search_read", []any{domain}, map[string]any{"fields": []string{"summary", "user_id"}}, &todo); err != nil {
			t.Fatal(err)
		}
		if len(todo) != 1 || todo[0].Summary != "Call 09121234567 back" || fmt.Sprint(todo[0].User[1]) != "Sara" {
			t.Errorf("to do %+v", todo)
		}
	})
	realBench(target, func() { forgetReal(t, admin) }).everywhere(t, func(t *testing.T, s standIn, how string, want shape) {
		t.Helper()
		odooCheck(t, s, how, want, s.config.Odoo)
	})
}

func realConn(t *testing.T, address string, change func(*Odoo)) *odooConn {
	t.Helper()
	cfg := odooSettings(address)
	if change != nil {
		change(cfg)
	}
	d := deps(logbook{}, &clock{at: t0}, &facts{})
	d.Notes, d.Sink = &MemoryNotes{}, "odoo"
	conn, err := cfg.connect(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.(*odooConn).api.web.client.CloseIdleConnections)
	return conn.(*odooConn)
}

// realBench puts the faults between us and the real server.
func realBench(target *url.URL, fresh func()) crmBench {
	return crmBench{brief: true, start: func(*clock) standIn {
		fresh()
		script := &fault.Script{}
		srv := httptest.NewServer(fault.Wrap(httputil.NewSingleHostReverseProxy(target), script))
		return standIn{srv: srv, script: script, notes: &MemoryNotes{}, config: SinkConfig{Name: "odoo", Odoo: odooSettings(srv.URL)}}
	}}
}
