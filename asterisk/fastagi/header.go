package fastagi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Limits of a header. Asterisk sends about 600 bytes and 22 keys, and as many
// more as the dialplan gives arguments.
const (
	maxHeader = 16 << 10
	maxKeys   = 64
)

// errHeader says that a connection did not begin as Asterisk begins one.
var errHeader = errors.New("not a header of Asterisk")

// headerKeys are the keys in the order in which Asterisk sends them (setup_env
// and launch_netscript in res_agi.c; the same from 1.8 to 22). Values such as a
// caller's name come from outside and could hold a line break that forges
// further keys, so the order is demanded: a key that was forged comes again
// later, or comes where another is due.
func headerKeys() []string {
	return []string{
		"agi_network", "agi_network_script", "agi_request", "agi_channel", "agi_language", "agi_type",
		"agi_uniqueid", "agi_version", "agi_callerid", "agi_calleridname", "agi_callingpres",
		"agi_callingani2", "agi_callington", "agi_callingtns", "agi_dnid", "agi_rdnis", "agi_context",
		"agi_extension", "agi_priority", "agi_enhanced", "agi_accountcode", "agi_threadid",
	}
}

// readHeader reads up to and with the empty line, into buf or a larger slice,
// and refuses what goes on behind it: Asterisk waits for our first command.
func readHeader(r io.Reader, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= maxHeader {
				return nil, fmt.Errorf("%w: longer than %d bytes", errHeader, maxHeader)
			}
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		seen := max(0, len(buf)-1) // the end may be cut in two
		buf = buf[:len(buf)+n]
		if end := bytes.Index(buf[seen:], []byte("\n\n")); end >= 0 {
			if rest := len(buf) - seen - end - 2; rest > 0 {
				return nil, fmt.Errorf("%w: %d bytes behind it", errHeader, rest)
			}
			return buf, nil
		}
		if !bytes.HasPrefix([]byte("agi_"), buf[:min(4, len(buf))]) {
			return nil, fmt.Errorf("%w: begins with %q", errHeader, buf[:min(16, len(buf))])
		}
		if err != nil {
			return nil, err
		}
	}
}

// checkHeader demands every key once and in order; only agi_network_script may
// be missing, which it is for an address without a path.
func checkHeader(header []byte, keys []string) error {
	next, args := 0, 0
	for n := 1; ; n++ {
		ln, rest, _ := bytes.Cut(header, []byte{'\n'})
		header = rest
		if len(ln) == 0 {
			break
		}
		key, _, ok := bytes.Cut(ln, []byte{':'})
		switch {
		case !ok || n > maxKeys:
			return fmt.Errorf("%w: line %d is %.40q", errHeader, n, ln)
		case next < len(keys) && string(key) == keys[next]:
			next++
		case next == 1 && string(key) == keys[2]:
			next = 3
		case next == len(keys) && isArg(key, args+1):
			args++
		default:
			return fmt.Errorf("%w: unexpected key %.40q", errHeader, key)
		}
	}
	if next < len(keys) {
		return fmt.Errorf("%w: ends before %s", errHeader, keys[next])
	}
	return nil
}

func isArg(key []byte, n int) bool {
	no, ok := bytes.CutPrefix(key, []byte("agi_arg_"))
	return ok && string(no) == strconv.Itoa(n)
}
