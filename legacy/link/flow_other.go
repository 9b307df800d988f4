//go:build !linux

package link

import "errors"

// flow is nothing here: the serial library offers no flow control.
type flow struct{}

func prepareFlow(s Serial) (*flow, error) {
	if s.Flow != "none" && s.Flow != "" {
		return nil, errors.New("flow control is offered on Linux only")
	}
	return &flow{}, nil
}

func (*flow) apply() error { return nil }
func (*flow) close()       {}
