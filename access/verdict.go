package access

import "markaz/lang"

// Verdict is an answer with its reason: a key of the catalogue and what fills
// its placeholders.
type Verdict struct {
	OK   bool
	Why  string
	Args []any // pairs of name and value
}

// In says the reason in a language.
func (v Verdict) In(w lang.Words) string {
	args := make([]any, len(v.Args))
	copy(args, v.Args)
	for i := 1; i < len(args); i += 2 {
		if r, ok := args[i].(Right); ok {
			args[i] = w.T("access.right." + string(r))
		}
	}
	return w.T(v.Why, args...)
}

func permit(why string, args ...any) Verdict { return Verdict{OK: true, Why: why, Args: args} }
func refuse(why string, args ...any) Verdict { return Verdict{Why: why, Args: args} }
