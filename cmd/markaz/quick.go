package main

import (
	"context"
	"net/http"
	"time"
)

// quick asks the running Markaz whether it is ready; for health checks.
func quick(ctx context.Context, cfg *config) error {
	if cfg.HTTP.Listen == "" {
		return exit(exitConfig, "http.listen is off, so there is nobody to ask")
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+cfg.HTTP.Listen+"/readyz", nil)
	if err != nil {
		return exit(exitConfig, "http.listen: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return exit(exitUnreachable, "Markaz does not answer: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return exit(exitFailure, "Markaz is not ready: %s", res.Status)
	}
	return nil
}
