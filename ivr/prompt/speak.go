package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ErrNoProgram says that the speech program is not installed.
var ErrNoProgram = errors.New("speech program not found")

// mostTalk is how much of what a failing program says is told, in bytes.
const mostTalk = 300

// speaker runs the speech program.
type speaker struct {
	command []string
	timeout time.Duration
	slots   chan struct{} // one for each process at a time
}

// speak has a text spoken and gives the WAV file that the program wrote. Out
// is a file that does not exist; it is gone afterwards.
func (s speaker) speak(ctx context.Context, lang, voice, text, out string) ([]byte, error) {
	program, err := exec.LookPath(s.command[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %q; install it (Debian: apt-get install espeak-ng) or set prompts.command", ErrNoProgram, s.command[0])
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	defer os.Remove(out)

	args, stdin := s.args(lang, voice, text, out)
	talk := &tail{}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = stdin
	cmd.Stdout, cmd.Stderr = talk, talk
	// A grandchild that keeps the pipes open must not hold us.
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("run %s: %w%s", s.command[0], err, talk)
	}
	raw, err := readBounded(out)
	if err != nil {
		return nil, fmt.Errorf("read what %s wrote: %w%s", s.command[0], err, talk)
	}
	return raw, nil
}

// args puts the values into the arguments. A text that begins with a hyphen is
// kept from being taken for an option.
func (s speaker) args(lang, voice, text, out string) (args []string, stdin io.Reader) {
	if strings.HasPrefix(text, "-") {
		text = " " + text
	}
	stdin = strings.NewReader(text + "\n")
	values := strings.NewReplacer("{text}", text, "{out}", out, "{voice}", voice, "{lang}", lang)
	for _, arg := range s.command[1:] {
		if strings.Contains(arg, "{text}") {
			stdin = nil
		}
		args = append(args, values.Replace(arg))
	}
	return args, stdin
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxOutput+1))
	if err == nil && len(raw) > maxOutput {
		err = fmt.Errorf("more than %d bytes", maxOutput)
	}
	return raw, err
}

// tail keeps the last of what a program says.
type tail struct{ said []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.said = append(t.said, p...)
	if extra := len(t.said) - mostTalk; extra > 0 {
		t.said = append(t.said[:0], t.said[extra:]...)
	}
	return len(p), nil
}

// String is what was said in one line, after a colon, or nothing.
func (t *tail) String() string {
	said := bytes.Join(bytes.Fields(t.said), []byte(" "))
	if len(said) == 0 {
		return ""
	}
	return ": " + strings.ToValidUTF8(string(said), "?")
}
