package fastagi

import (
	"net/url"
	"strconv"
	"strings"
)

// Request is what Asterisk says of the call when it opens the session. The
// values are as it sent them; those that a caller chooses (number and name) may
// hold anything but a line break. "unknown", Asterisk's word for nothing, has
// become "".
type Request struct {
	Path  string     // of the AGI address, with a leading slash: /inbound
	Query url.Values // of the AGI address
	Args  []string   // arguments of AGI() after the address

	Channel    string // the channel's name
	UniqueID   string // and its id
	Language   string
	CallerID   string // number
	CallerName string
	DNID       string // number dialled, as the trunk told
	RDNIS      string // number that diverted the call to us
	Context    string // where the dialplan stands
	Extension  string
	Version    string // of Asterisk
}

func newRequest(vars map[string]string) Request {
	known := func(key string) string {
		if v := vars[key]; v != "unknown" {
			return v
		}
		return ""
	}
	r := Request{
		Channel:    vars["agi_channel"],
		UniqueID:   vars["agi_uniqueid"],
		Language:   vars["agi_language"],
		CallerID:   known("agi_callerid"),
		CallerName: known("agi_calleridname"),
		DNID:       known("agi_dnid"),
		RDNIS:      known("agi_rdnis"),
		Context:    vars["agi_context"],
		Extension:  vars["agi_extension"],
		Version:    vars["agi_version"],
	}
	for n := 1; ; n++ {
		arg, ok := vars["agi_arg_"+strconv.Itoa(n)]
		if !ok {
			break
		}
		r.Args = append(r.Args, arg)
	}
	path, query, _ := strings.Cut(vars["agi_network_script"], "?")
	r.Path = "/" + strings.TrimPrefix(path, "/")
	if query != "" {
		r.Query, _ = url.ParseQuery(query) // what cannot be read is left out
	}
	return r
}

// Arg returns the n-th argument of AGI() after the address, from 1; "" when
// there is none.
func (r *Request) Arg(n int) string {
	if n < 1 || n > len(r.Args) {
		return ""
	}
	return r.Args[n-1]
}
