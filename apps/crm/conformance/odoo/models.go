package odoo

import (
	"crypto/sha1" //nolint:gosec // as Odoo does
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table holds the records of one model.
type table struct {
	fields []string // that load may set
	needs  []string
	rows   []map[string]any
}

func newModels() map[string]*table {
	return map[string]*table{
		"res.partner": {fields: []string{"name", "phone", "mobile", "comment"}, needs: []string{"name"}},
		"res.users":   {}, "ir.model": {},
		"ir.attachment": {fields: []string{"name", "datas", "mimetype", "res_model", "res_id"}, needs: []string{"name"}},
		"mail.message": {fields: []string{
			"model", "res_id", "body", "subject", "date", "message_type", "message_id", "subtype_id/id", "author_id/.id", "attachment_ids/id",
		}, needs: []string{"message_type"}},
		"mail.activity": {fields: []string{
			"res_model_id/.id", "res_id", "activity_type_id/id", "user_id/.id", "summary", "date_deadline",
		}, needs: []string{"res_model_id/.id", "date_deadline"}},
	}
}

func (t *table) add(row map[string]any) int {
	row["id"] = len(t.rows) + 1
	t.rows = append(t.rows, row)
	return len(t.rows)
}

func (s *Server) execute(model, method string, rawArgs json.RawMessage, more []json.RawMessage) (any, *raised) {
	t := s.models[model]
	if t == nil {
		return nil, raise("builtins.KeyError", "%s", model)
	}
	var args []json.RawMessage
	var options struct {
		Fields []string `json:"fields"`
		Limit  int      `json:"limit"`
	}
	if json.Unmarshal(rawArgs, &args) != nil || len(more) > 0 && json.Unmarshal(more[0], &options) != nil {
		return nil, raise("builtins.TypeError", "wrong arguments")
	}
	switch method {
	case "check_access_rights":
		return !slices.Contains(s.opt.Denied, model), nil
	case "fields_get":
		return map[string]any{"phone": map[string]any{"type": "char"}, "mobile": map[string]any{"type": "char"}}, nil
	case "load":
		if slices.Contains(s.opt.Denied, model) {
			return nil, raise("odoo.exceptions.AccessError", "You are not allowed to create %s records.", model)
		}
		return s.load(t, args)
	case "read":
		var ids []int
		if json.Unmarshal(args[0], &ids) != nil {
			return nil, raise("builtins.TypeError", "ids")
		}
		return pick(t.rows, options.Fields, 0, func(row map[string]any) bool { return slices.Contains(ids, row["id"].(int)) }), nil
	case "search_read":
		var domain []any
		if json.Unmarshal(args[0], &domain) != nil {
			return nil, raise("builtins.ValueError", "Invalid domain")
		}
		return pick(t.rows, options.Fields, options.Limit, func(row map[string]any) bool { ok, _ := match(domain, row); return ok }), nil
	}
	return nil, raise("builtins.AttributeError", "The method '%s' does not exist on the model '%s'", method, model)
}

// pick gives fields of the records that are wanted; what is empty is false.
func pick(rows []map[string]any, fields []string, limit int, want func(map[string]any) bool) []any {
	out := []any{}
	for _, row := range rows {
		if !want(row) || limit > 0 && len(out) == limit {
			continue
		}
		record := map[string]any{"id": row["id"]}
		for _, f := range fields {
			record[f] = row[f]
			switch {
			case row[f] == nil && f == "attachment_ids":
				record[f] = []int{}
			case row[f] == nil, row[f] == "":
				record[f] = false
			}
		}
		out = append(out, record)
	}
	return out
}

// match evaluates a domain in prefix form; terms without an operator are all to
// hold. It returns how much of the domain it has read when that began with an
// operator.
func match(domain []any, row map[string]any) (bool, []any) {
	ok := true
	for len(domain) > 0 {
		var one bool
		if one, domain = term(domain, row); !one {
			ok = false
		}
	}
	return ok, nil
}

func term(domain []any, row map[string]any) (ok bool, rest []any) {
	if domain[0] == "|" || domain[0] == "&" {
		a, rest := term(domain[1:], row)
		b, rest := term(rest, row)
		if domain[0] == "|" {
			return a || b, rest
		}
		return a && b, rest
	}
	leaf, isLeaf := domain[0].([]any)
	if !isLeaf || len(leaf) != 3 {
		return false, domain[1:]
	}
	have, want := row[fmt.Sprint(leaf[0])], leaf[2]
	text, pattern := fmt.Sprint(have), fmt.Sprint(want)
	switch leaf[1] {
	case "=":
		ok = text == pattern || have == nil && want == false
	case ">=":
		ok = have != nil && text >= pattern
	case "<":
		ok = have != nil && text < pattern
	case "=like", "=ilike":
		glob := strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, "%", "*", "/", "-").Replace(pattern)
		hit, err := path.Match(strings.ToLower(glob), strings.ToLower(strings.ReplaceAll(text, "/", "-")))
		ok = have != nil && hit && err == nil
	}
	return ok, domain[1:]
}

// load makes or changes records by external ids.
func (s *Server) load(t *table, args []json.RawMessage) (any, *raised) {
	var keys []string
	var rows [][]string
	if len(args) != 2 || json.Unmarshal(args[0], &keys) != nil || json.Unmarshal(args[1], &rows) != nil {
		return nil, raise("builtins.TypeError", "load wants texts")
	}
	var ids []int
	for _, row := range rows {
		id, why := s.loadOne(t, keys, row)
		if why != "" {
			return map[string]any{"ids": false, "messages": []any{map[string]any{"type": "error", "message": why}}}, nil
		}
		ids = append(ids, id)
	}
	return map[string]any{"ids": ids, "messages": []any{}, "nextrow": 0}, nil
}

func (s *Server) loadOne(t *table, keys, row []string) (id int, why string) {
	values, name := map[string]any{}, ""
	for i, key := range keys {
		if key == "id" {
			name = row[i]
			continue
		}
		if !slices.Contains(t.fields, key) {
			return 0, fmt.Sprintf("Unknown field '%s'", key)
		}
		v, why := s.value(key, row[i])
		if why != "" {
			return 0, why
		}
		values[strings.SplitN(key, "/", 2)[0]] = v
	}
	if module, rest, ok := strings.Cut(name, "."); !ok || module == "" || rest == "" {
		return 0, "no external id"
	}
	if id = s.known[name]; id == 0 {
		for _, need := range t.needs {
			if !slices.Contains(keys, need) {
				return 0, fmt.Sprintf("Missing required value for the field '%s'", need)
			}
		}
		id = t.add(map[string]any{})
		s.known[name] = id
	}
	for k, v := range values {
		t.rows[id-1][k] = v
	}
	if data, ok := values["datas"].(string); ok {
		content, _ := base64.StdEncoding.DecodeString(data) // checked by value
		sum := sha1.Sum(content)
		t.rows[id-1]["checksum"], t.rows[id-1]["content"] = hex.EncodeToString(sum[:]), string(content)
	}
	if n, ok := values["name"]; ok {
		t.rows[id-1]["display_name"] = n
	}
	return id, ""
}

// value reads one column.
func (s *Server) value(key, text string) (v any, why string) {
	number, numberErr := strconv.Atoi(text)
	switch key {
	case "res_id":
		if numberErr != nil || number > len(s.models["res.partner"].rows) {
			return nil, "no such record"
		}
		return number, ""
	case "author_id/.id":
		if numberErr != nil || number < 1 || number > len(s.models["res.partner"].rows) {
			return nil, fmt.Sprintf("No matching record found for database id '%s' in field 'Author'", text)
		}
		return []any{number, s.models["res.partner"].rows[number-1]["name"]}, ""
	case "user_id/.id", "res_model_id/.id":
		if numberErr != nil {
			return nil, "Invalid database id"
		}
		return []any{number, ""}, ""
	case "subtype_id/id", "activity_type_id/id", "attachment_ids/id":
		id := s.known[text]
		if id == 0 {
			return nil, fmt.Sprintf("No matching record found for external id '%s'", text)
		}
		return []int{id}, ""
	case "date":
		if _, err := time.Parse("2006-01-02 15:04:05", text); err != nil {
			return nil, fmt.Sprintf("'%s' does not seem to be a valid datetime", text)
		}
	case "datas":
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			return nil, "Incorrect padding"
		}
	}
	return text, ""
}
