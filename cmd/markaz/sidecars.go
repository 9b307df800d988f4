package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"markaz/apps/crm"
	"markaz/operator"
)

// sidecarConfig is a markaz-legacy whose recorder's files are brought in.
type sidecarConfig struct {
	URL     string          `yaml:"url"`   // http://127.0.0.1:9171
	Token   operator.Secret `yaml:"token"` // what it asks for; env:, file: and credential: may stand before it
	Sources []string        `yaml:"sources"`
}

// sidecars are all of them.
type sidecars []sidecarConfig

// Validate reports every fault.
func (list sidecars) Validate() error {
	var errs []error
	taken := map[string]bool{}
	for i, s := range list {
		u, err := url.Parse(s.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("sidecars[%d]: url: want http://host:port, have %q", i, s.URL))
		}
		if len(s.Sources) == 0 {
			errs = append(errs, fmt.Errorf("sidecars[%d]: sources: want the keys of its sources", i))
		}
		for _, key := range s.Sources {
			if taken[key] {
				errs = append(errs, fmt.Errorf("sidecars[%d]: sources: %q is there twice", i, key))
			}
			taken[key] = true
		}
	}
	return errors.Join(errs...)
}

// reveal reads tokens that are given by reference.
func (list sidecars) reveal() error {
	for i := range list {
		text, err := crm.NewSecret(string(list[i].Token)).Reveal()
		if err != nil {
			return fmt.Errorf("sidecars[%d]: token: %w", i, err)
		}
		list[i].Token = operator.Secret(text)
	}
	return nil
}

// sidecarID takes the id of a recording apart that a sidecar has told of: the
// call, the source and the file.
func sidecarID(id string) (key, file string, ok bool) {
	m := regexp.MustCompile(`^[0-9A-Z]{26}-([A-Za-z0-9]{1,32})-(t[0-9a-f]{16})$`).FindStringSubmatch(id)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// fetch writes a recorder's file to w. The error wraps fs.ErrNotExist when it
// is not there any more.
func (list sidecars) fetch(ctx context.Context, key, file string, w io.Writer) error {
	i := slices.IndexFunc(list, func(s sidecarConfig) bool { return slices.Contains(s.Sources, key) })
	if i < 0 {
		return fmt.Errorf("fetch recording: no sidecar of the configuration has the source %s", key)
	}
	s := list[i]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.URL, "/")+"/sources/"+key+"/recordings/"+file, nil)
	if err != nil {
		return fmt.Errorf("fetch recording: %w", err)
	}
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+string(s.Token))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("fetch recording from sidecar: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return fmt.Errorf("fetch recording from sidecar: %w", fs.ErrNotExist)
	default:
		return fmt.Errorf("fetch recording from sidecar: it answers %s", resp.Status)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("fetch recording from sidecar: %w", err)
	}
	return nil
}
