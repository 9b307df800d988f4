package api

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html docs.css
var docs embed.FS

// completeDocument adds to the document what huma cannot know.
func (a *API) completeDocument() {
	o := a.huma.OpenAPI()
	if m := o.Components.Schemas.Map()["ErrorModel"]; m != nil {
		m.Properties["code"] = &huma.Schema{Type: huma.TypeString, Description: "The same whatever the words", Examples: []any{"E4031"}}
		for _, unused := range []string{"type", "instance"} {
			delete(m.Properties, unused)
		}
	}
}

// serveDocument serves the document, and a page that shows it. Both hold
// nothing that is secret, and need no log-in.
func (a *API) serveDocument(mux *http.ServeMux) error {
	text, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return fmt.Errorf("encode OpenAPI document: %w", err)
	}
	page, err := a.page()
	if err != nil {
		return err
	}
	css, err := docs.ReadFile("docs.css")
	if err != nil {
		return fmt.Errorf("read style of documentation: %w", err)
	}
	for path, f := range map[string]struct {
		kind string
		body []byte
	}{
		"GET /v1/openapi.json": {"application/json", text},
		"GET /v1/docs":         {"text/html; charset=utf-8", page},
		"GET /v1/docs.css":     {"text/css; charset=utf-8", css},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", f.kind)
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(f.body) // the client went away
		})
	}
	return nil
}

// operation is one operation as the page shows it.
type operation struct {
	Method, Path, ID, Summary, Description string
	Parameters                             []*huma.Param
	Body, Answer                           string // schemas, as JSON
	Statuses                               string
}

func (a *API) page() ([]byte, error) {
	o := a.huma.OpenAPI()
	var ops []operation
	for _, path := range sortedKeys(o.Paths) {
		item := o.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				ops = append(ops, a.shown(op))
			}
		}
	}
	t, err := template.ParseFS(docs, "docs.html")
	if err != nil {
		return nil, fmt.Errorf("read page of documentation: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, map[string]any{"Info": o.Info, "Operations": ops}); err != nil {
		return nil, fmt.Errorf("make page of documentation: %w", err)
	}
	return []byte(b.String()), nil
}

func (a *API) shown(op *huma.Operation) operation {
	s := operation{
		Method: op.Method, Path: op.Path, ID: op.OperationID, Summary: op.Summary, Description: op.Description, Parameters: op.Parameters,
	}
	if op.RequestBody != nil {
		s.Body = a.schemaText(op.RequestBody.Content)
	}
	var statuses []string
	for status, r := range op.Responses {
		if status == "default" {
			continue
		}
		statuses = append(statuses, status)
		if strings.HasPrefix(status, "2") && s.Answer == "" {
			s.Answer = a.schemaText(r.Content)
		}
	}
	slices.Sort(statuses)
	s.Statuses = strings.Join(statuses, ", ")
	return s
}

// schemaText is the schema of a body as JSON; "" if there is none.
func (a *API) schemaText(content map[string]*huma.MediaType) string {
	m := content["application/json"]
	if m == nil || m.Schema == nil {
		return ""
	}
	schema := m.Schema
	if schema.Ref != "" {
		schema = a.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}
