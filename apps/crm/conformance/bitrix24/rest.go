package bitrix24

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// refusal is an error as Bitrix24 words it.
type refusal struct {
	status     int
	code, text string
}

func refuse(status int, code, text string) *refusal { return &refusal{status, code, text} }

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

func (p *Portal) rest(w http.ResponseWriter, r *http.Request) {
	params, err := read(r)
	if err != nil {
		write(w, 400, map[string]any{"error": "INVALID_REQUEST", "error_description": err.Error()})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.overflow() {
		write(w, 503, map[string]any{"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
		return
	}
	path := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/rest/"), "/"), "/")
	who, method, no := p.authority(path, params)
	var result any
	if no == nil && method == "batch" {
		result, no = p.batch(who, params)
	} else if no == nil {
		result, no = p.call(who, method, params)
	}
	if no != nil {
		write(w, no.status, map[string]any{"error": no.code, "error_description": no.text})
		return
	}
	write(w, 200, map[string]any{"result": result, "time": map[string]any{"operating": 0.1}})
}

// values are the parameters of a method.
type values map[string]any

func read(r *http.Request) (values, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 128<<20))
	if err != nil {
		return nil, err
	}
	v := values{}
	if len(body) == 0 {
		return v, nil
	}
	// The order of the keys in cmd matters.
	var keep struct {
		Cmd json.RawMessage `json:"cmd"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &keep); err == nil && keep.Cmd != nil {
		v["cmd"] = keep.Cmd
	}
	return v, nil
}

func (v values) text(key string) string {
	switch x := v[key].(type) {
	case nil:
		return ""
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	default:
		return fmt.Sprint(x)
	}
}

func (v values) number(key string) int {
	n, _ := strconv.Atoi(v.text(key)) // not a number is 0, as in PHP
	return n
}

// numbers reads a number or a list of them.
func (v values) numbers(key string) []int {
	var out []int
	switch x := v[key].(type) {
	case []any:
		for _, e := range x {
			out = append(out, values{"": e}.number(""))
		}
	case map[string]any:
		for _, e := range x {
			out = append(out, values{"": e}.number(""))
		}
	default:
		if n := v.number(key); n != 0 {
			out = append(out, n)
		}
	}
	return out
}

func (v values) sub(key string) values {
	m, _ := v[key].(map[string]any) // what is not there is empty
	return m
}

// batch does up to 50 methods in the order of their keys
// (settings/how-to-call-rest-api/batch.md).
func (p *Portal) batch(who string, params values) (any, *refusal) {
	raw, ok := params["cmd"].(json.RawMessage)
	if !ok {
		return nil, refuse(400, "ERROR_CORE", "cmd is missing")
	}
	keys, lines, err := ordered(raw)
	if err != nil || len(keys) > 50 {
		return nil, refuse(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
	}
	results, failures := map[string]any{}, map[string]any{}
	for i, key := range keys {
		method, query, _ := strings.Cut(lines[i], "?")
		if method == "batch" {
			return nil, refuse(400, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
		}
		result, no := p.call(who, method, parse(query, results))
		if no == nil {
			results[key] = result
			continue
		}
		failures[key] = map[string]any{"error": no.code, "error_description": no.text}
		if params.text("halt") == "1" || params.text("halt") == "true" {
			break
		}
	}
	return map[string]any{"result": php(results), "result_error": php(failures), "result_total": []any{}, "result_next": []any{}}, nil
}

// php writes an empty map as PHP does.
func php(m map[string]any) any {
	if len(m) == 0 {
		return []any{}
	}
	return m
}

func ordered(raw json.RawMessage) (keys, lines []string, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, nil, err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		var line string
		if err := dec.Decode(&line); err != nil {
			return nil, nil, err
		}
		keys, lines = append(keys, fmt.Sprint(key)), append(lines, line)
	}
	return keys, lines, nil
}

// parse reads a query as PHP does, one level deep, and puts earlier results in.
func parse(query string, results map[string]any) values {
	out := values{}
	q, err := url.ParseQuery(query)
	if err != nil {
		return out
	}
	inner := regexp.MustCompile(`^([^\[]+)\[([^\]]*)\]$`)
	for k, v := range q {
		text := substitute(v[0], results)
		if m := inner.FindStringSubmatch(k); m != nil {
			sub, ok := out[m[1]].(map[string]any)
			if !ok {
				sub = map[string]any{}
				out[m[1]] = sub
			}
			sub[m[2]] = text
			continue
		}
		out[k] = text
	}
	return out
}

func substitute(text string, results map[string]any) string {
	ref := regexp.MustCompile(`\$result\[([^\]]+)\]\[([^\]]+)\]`)
	return ref.ReplaceAllStringFunc(text, func(s string) string {
		m := ref.FindStringSubmatch(s)
		if r, ok := results[m[1]].(map[string]any); ok {
			return fmt.Sprint(r[m[2]])
		}
		return ""
	})
}

// call does one method.
func (p *Portal) call(who, method string, v values) (any, *refusal) {
	switch strings.ToLower(method) {
	case "telephony.externalcall.register", "telephony.externalcall.finish", "telephony.externalline.get", "telephony.externalline.add":
		if who == "hook" && p.opt.AppOnly {
			return nil, refuse(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")
		}
	}
	switch strings.ToLower(method) {
	case "scope":
		return []string{"telephony", "user_brief", "crm"}, nil
	case "user.get":
		return page(p.users(v.sub("FILTER")), v), nil
	case "event.bind":
		return p.bind(v)
	case "telephony.externalline.get":
		return p.lines, nil
	case "telephony.externalcall.register":
		return p.register(v)
	case "telephony.externalcall.show":
		return p.show(v), nil
	case "telephony.externalcall.hide":
		return p.hide(v), nil
	case "telephony.externalcall.finish":
		return p.finish(v)
	case "telephony.externalcall.attachrecord":
		return p.attach(v)
	case "telephony.externalcall.searchcrmentities":
		return p.search(v)
	case "voximplant.statistic.get":
		return page(p.statistics(v.sub("FILTER")), v), nil
	}
	return nil, refuse(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
}

// page gives 50 of the rows from start on (settings/performance/huge-data.md).
func page(rows []any, v values) []any {
	start := min(max(0, v.number("start")), len(rows))
	return rows[start:min(start+50, len(rows))]
}

func (p *Portal) users(filter values) []any {
	out := []any{}
	for _, u := range p.opt.Users {
		if id := filter.text("ID"); id != "" && id != strconv.Itoa(u.ID) {
			continue
		}
		if ext := filter.text("UF_PHONE_INNER"); ext != "" && ext != u.Extension {
			continue
		}
		if filter.text("ACTIVE") == "true" && u.Inactive {
			continue
		}
		out = append(out, map[string]any{"ID": strconv.Itoa(u.ID), "ACTIVE": !u.Inactive, "UF_PHONE_INNER": u.Extension, "NAME": u.Name})
	}
	return out
}

func (p *Portal) bind(v values) (any, *refusal) {
	if !strings.EqualFold(v.text("event"), "OnExternalCallStart") || v.text("handler") == "" {
		return nil, refuse(400, "ERROR_EVENT_NOT_FOUND", "Event not found")
	}
	if p.handler == v.text("handler") {
		return nil, refuse(400, "ERROR_CORE", "Unable to set event handler: Handler already binded")
	}
	p.handler = v.text("handler")
	return true, nil
}

func (p *Portal) search(v values) (any, *refusal) {
	if v.text("PHONE_NUMBER") == "" {
		return nil, refuse(400, "ERROR_CORE", "PHONE_NUMBER is empty")
	}
	out := []any{}
	for _, x := range p.opt.People {
		if x.Number == v.text("PHONE_NUMBER") {
			out = append(out, map[string]any{"CRM_ENTITY_TYPE": x.Type, "CRM_ENTITY_ID": x.ID, "NAME": x.Name})
		}
	}
	return out, nil
}

func isoDate(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}
