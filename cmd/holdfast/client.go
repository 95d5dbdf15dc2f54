package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

// dialAgain is how long a command waits before it tries again to reach a server that is starting or stopping.
const dialAgain = 50 * time.Millisecond

// connect returns a client of the store: of the server that runs on it or, where none does, of this very process, which then owns it. The client's Close lets go
// of it.
func (a *app) connect(ctx context.Context, c *config.Config, why purpose) (*control.Client, error) {
	for until := clock.System.Now().Add(c.Timeouts.Control); ; {
		remote, err := control.Dial(ctx, c.Data)
		if err == nil {
			remote.Within(c.Timeouts.Control, "the server"+holder(c)+" holds the data and does not answer; if it does not come back, end it and start it again")
			return remote, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.ENOTDIR) {
			return nil, &exitError{exitBusy, "the control socket of the server that runs cannot be opened (" + oneLine(err) + "); are you the user that runs it?"}
		}
		o, err := openStore(ctx, c, why, slog.New(slog.DiscardHandler))
		if err == nil {
			o.auth = newAuth(c, o.core, nil, slog.New(slog.DiscardHandler))
			client := control.InProcess(o.handler(c, func(s *control.Status) { s.Version, s.Retention = version().Version, o.keeper.retention() }, nil, nil, nil))
			client.OnClose(o.close)
			return client, nil
		}
		if !errors.Is(err, vfs.ErrLocked) {
			return nil, err
		}
		if !clock.System.Now().Before(until) { // the server did not open its socket in all this time
			return nil, &exitError{exitBusy, sentence(err) + ", or wait: it holds the data directory and does not answer its control socket"}
		}
		if err := clock.Sleep(ctx, clock.System, dialAgain); err != nil {
			return nil, err
		}
	}
}

// holder names the process that holds the data directory, in brackets; empty where it is not known. Only the lock itself would prove it.
func holder(c *config.Config) string {
	b, err := vfs.ReadFile(vfs.OS, filepath.Join(c.Data, leaseName))
	if pid, bad := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && bad == nil {
		return fmt.Sprintf(" (process %d)", pid)
	}
	return ""
}

// with runs fn with a client of the store that the command's flags name.
func (a *app) with(cmd *cobra.Command, why purpose, fn func(context.Context, *control.Client) error) error {
	c, err := a.load(cmd)
	if err != nil {
		return err
	}
	client, err := a.connect(cmd.Context(), c, why)
	if err != nil {
		return err
	}
	defer client.Close()
	return fn(cmd.Context(), client)
}
