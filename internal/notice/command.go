package notice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Command runs a program for each notice: JSON on its standard input, the same in its environment.
type Command struct {
	Line    []string // the program and its arguments; no shell reads them
	Environ []string // what it has of the environment, to which HOLDFAST_NOTICE_* are added; the service's own settings, of which some are secret, are kept from it
}

// Name implements [Way].
func (w *Command) Name() string { return "command" }

// outputGrace is how long the pipes of a program that was ended are waited for: a child of it may hold them.
const outputGrace = time.Second

// Send implements [Way].
func (w *Command) Send(ctx context.Context, n *Notice) (string, error) {
	body, err := n.encode()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, w.Line[0], w.Line[1:]...)
	for _, e := range w.Environ {
		if !strings.HasPrefix(e, "HOLDFAST_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	for _, e := range [][2]string{{"ID", n.ID.String()}, {"THREAD", n.Thread.String()}, {"WHAT", n.What}, {"KEY", n.Key}, {"SEVERITY", string(n.Severity)}, {"TITLE", n.Title}, {"TEXT", n.Text},
		{"SINCE", n.Since.Format(time.RFC3339)}, {"AT", n.At.Format(time.RFC3339)}, {"SERVER", n.Server}} {
		cmd.Env = append(cmd.Env, "HOLDFAST_NOTICE_"+e[0]+"="+strings.ReplaceAll(e[1], "\x00", ""))
	}
	said := &head{limit: 500}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = bytes.NewReader(append(body, '\n')), said, said, outputGrace
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s did not end in time", w.Line[0])
	case err != nil && said.b.Len() > 0:
		return "", fmt.Errorf("%s: %w: %s", w.Line[0], err, clip(said.b.String(), said.limit))
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%s is not there", w.Line[0])
	case err != nil:
		return "", fmt.Errorf("%s: %w", w.Line[0], err)
	}
	return w.Line[0] + " ended well", nil
}

// head keeps the first octets that are written to it.
type head struct {
	b     bytes.Buffer
	limit int
}

func (h *head) Write(p []byte) (int, error) {
	h.b.Write(p[:max(0, min(len(p), h.limit-h.b.Len()))])
	return len(p), nil
}
