package link

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A script of the log-in: "<" is what the device says, ">" what we answer, "~"
// a silence, "!" the error.
func TestDialogue(t *testing.T) {
	for name, script := range map[string]string{
		"prompts":                        "<- >SMDR <SMDR\r <Enter Password: >PCCSMDR <*******\r\n ~",
		"telnet options before":          "<\xff\xfb\x01\xff\xfd\x03 <- >SMDR <SMDR\rEnter Password: >PCCSMDR",
		"prompt in pieces":               "<- >SMDR <SM <DR\r <Enter Pas <sword >PCCSMDR <:",
		"other words":                    "<login: >SMDR <Passphrase: >PCCSMDR",
		"no prompts":                     "~ >SMDR ~ >PCCSMDR ~",
		"another client":                 "<Rejected !busy",
		"wrong password":                 "<- >SMDR <SMDR\rEnter Password: >PCCSMDR <*******\r\nRejected !refused",
		"asked again":                    "<- >SMDR <SMDR\rEnter Password: >PCCSMDR <*******\r\nEnter Password: !refused",
		"words of refusal in later text": "<- >SMDR <SMDR\rEnter Password: >PCCSMDR <***\r\n23/10/26 09:41AM   204 03 REJECTED LTD",
		"records at once":                "<23/10/26 09:41AM   204 03 0912-",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDialogue(Login{User: "SMDR", Password: "PCCSMDR"})
			pending := ""
			for _, step := range split(script) {
				word := strings.TrimSuffix(step[1:], " ")
				var err error
				switch step[0] {
				case '<':
					if pending != "" {
						t.Fatalf("before %q we answered %q", step, pending)
					}
					pending, err = d.heard([]byte(word))
				case '~':
					pending = d.silence()
				case '>':
					if pending != word {
						t.Fatalf("we answered %q, want %q", pending, word)
					}
					pending = ""
				}
				if err != nil && !strings.HasSuffix(script, "!"+map[error]string{ErrBusy: "busy", ErrRefused: "refused"}[err]) {
					t.Fatalf("after %q: %v", step, err)
				}
				if err == nil && strings.Contains(script, "!") && step[0] == '!' {
					return
				}
			}
			if pending != "" {
				t.Fatalf("at the end we answered %q", pending)
			}
			if !strings.Contains(script, "!") && (strings.HasSuffix(script, "~") || strings.Contains(script, "/26")) && d.state != open {
				t.Errorf("at the end the state is %v", d.state)
			}
		})
	}
}

// split cuts a script before each mark that follows a blank.
func split(script string) []string {
	var steps []string
	for i := 0; i < len(script); {
		j := i + 1
		for j < len(script) && !(script[j-1] == ' ' && strings.ContainsRune("<>~!", rune(script[j]))) {
			j++
		}
		steps = append(steps, script[i:j])
		i = j
	}
	return steps
}

func TestBackoff(t *testing.T) {
	b := backoff{refused: 5 * time.Minute}
	lost := errors.New("lost")
	for i, c := range []struct {
		err         error
		lasted      time.Duration
		least, most time.Duration
	}{
		{lost, time.Hour, 1500 * time.Millisecond, 3 * time.Second},
		{lost, 0, 1500 * time.Millisecond, 3 * time.Second},
		{lost, 0, 1500 * time.Millisecond, 6 * time.Second},
		{lost, 0, 1500 * time.Millisecond, 12 * time.Second},
		{lost, time.Minute, 1500 * time.Millisecond, 3 * time.Second},
		{ErrRefused, time.Second, 5 * time.Minute, 6 * time.Minute},
		{ErrBusy, time.Second, 5 * time.Minute, 6 * time.Minute},
		{errDoubtful, time.Second, 1500 * time.Millisecond, 24 * time.Second},
		{errDoubtful, time.Second, 1500 * time.Millisecond, 30 * time.Second},
		{errDoubtful, time.Second, 5 * time.Minute, 6 * time.Minute},
	} {
		for _, chance := range []float64{0, 0.999} {
			try := b
			if d := try.next(c.err, c.lasted, chance); d < c.least || d > c.most {
				t.Errorf("wait %d is %v, want %v to %v", i, d, c.least, c.most)
			}
		}
		b.next(c.err, c.lasted, 0)
	}
}
