package crm

import (
	"errors"

	"markaz/lang"
)

// Problem is an error that an operator can do something about: the sentence
// crm.problem.<Code> of the catalogue says what.
type Problem struct {
	Code string
	Err  error
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// problem implements [coded].
func (p *Problem) problem() string { return p.Code }

// coded is an error that there is a sentence for.
type coded interface{ problem() string }

// Explain says an error of a connector in plain words: what it means and what
// to do, and after it the CRM's own words.
func Explain(err error, w lang.Words) string {
	key := "crm.problem." + problemCode(err)
	return w.T(key) + "\n  " + err.Error()
}

func problemCode(err error) string {
	var p coded
	var wait *pause
	switch {
	case errors.As(err, &p):
		return p.problem()
	case errors.Is(err, ErrGone):
		return "gone"
	case errors.Is(err, ErrAway):
		return "away"
	case errors.As(err, &wait):
		return "limit"
	}
	return "refused"
}
