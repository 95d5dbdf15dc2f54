package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/notice"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

// newBoard wires the board of a data directory with the ways that are configured.
func newBoard(c *config.Config, log *slog.Logger) (*notice.Board, error) {
	n := &c.Notify
	roots, err := readRoots(n.Root)
	if err != nil {
		return nil, err
	}
	var ways []notice.Way
	if n.Mail.Server != "" {
		ways = append(ways, &notice.Mail{Server: n.Mail.Server, TLS: n.Mail.TLS, Roots: roots, Auth: n.Mail.Auth, User: n.Mail.User, Password: n.Mail.Password, From: n.Mail.From, To: n.Mail.To})
	}
	if n.Webhook.URL != "" {
		ways = append(ways, &notice.Webhook{URL: n.Webhook.URL, Token: n.Webhook.Token, Secret: n.Webhook.Secret, Roots: roots})
	}
	if n.Ntfy.URL != "" {
		ways = append(ways, &notice.Ntfy{URL: n.Ntfy.URL, Token: n.Ntfy.Token, Roots: roots})
	}
	if len(n.Command) > 0 {
		ways = append(ways, &notice.Command{Line: n.Command, Environ: os.Environ()})
	}
	// A vault that fails is told of only after a while, so after a restart what was told is absent for as long: that is not its end.
	return notice.New(notice.Options{File: filepath.Join(c.Data, noticesName), FS: vfs.OS, Clock: clock.System, Log: log, Server: serverName(c), Ways: ways,
		Quiet: max(n.Quiet, c.Vault.Late), Again: n.Again, Timeout: n.Timeout, Retry: n.Retry, RetryMax: n.RetryMax, Keep: n.Keep}), nil
}

// readRoots reads root certificates; nil: the system's.
func readRoots(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	b, err := readFileLimited(name, 1<<20)
	if err != nil {
		return nil, &exitError{exitUsage, "notify.root cannot be read: " + oneLine(err)}
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, &exitError{exitUsage, "notify.root: " + name + " holds no certificate (PEM)"}
	}
	return roots, nil
}

// serverName is what notices call this server.
func serverName(c *config.Config) string {
	switch {
	case c.Notify.Server != "":
		return c.Notify.Server
	case c.PublicURL != "":
		return c.PublicURL
	case len(c.ACME.Domains) > 0:
		return "https://" + c.ACME.Domains[0]
	}
	host, err := os.Hostname()
	if err != nil {
		host = c.Listen
	}
	return host + ":" + c.Data
}

// pageOf says where people find a page of this server.
func pageOf(c *config.Config, path string) string {
	switch {
	case c.PublicURL != "":
		return strings.TrimSuffix(c.PublicURL, "/") + path
	case len(c.ACME.Domains) > 0:
		return "https://" + c.ACME.Domains[0] + path
	}
	return path + " of this server"
}

func (a *app) noticeCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "notice",
		Short: "Tell what is wrong, and try whether you are told",
		Long: `Tell what is wrong, and try whether you are told.

The running service looks for what is wrong every few seconds: a vault that is late, fails or is full, fewer copies than
the policy asks for, damage, a disk that fills, a recovery key that nobody has checked, an account in doubt, a device that
deletes much at once. It tells you once, again when it gets worse, and when it is over: by mail, webhook, ntfy or a command,
as the settings notify.* say.`,
		Example: `  holdfast notice list
  holdfast notice test`,
	})
	c.AddCommand(a.noticeList(), a.noticeTest())
	return c
}

func (a *app) noticeList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what is wrong now",
		Long:  "List what is wrong now, and how the ways to tell you fare. The exit status is 1 if something is, other than what is merely good to know.",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
				n, err := cl.Notices(ctx)
				if err != nil {
					return err
				}
				if a.json {
					err = a.printJSON("notice.list", n)
				} else {
					if s, bad := cl.Status(ctx); bad == nil && !s.Running {
						a.say("Holdfast does not run: this is what was wrong when it did.\n")
					}
					a.showNotices(n)
				}
				if err == nil && slices.ContainsFunc(n.Conditions, func(o notice.Open) bool { return o.Severity != notice.Info }) {
					err = &exitError{code: exitNegative}
				}
				return err
			})
		},
	}
}

func (a *app) showNotices(n control.NoticeList) {
	if len(n.Conditions) == 0 {
		a.printf("Nothing is wrong.\n")
	}
	for _, o := range n.Conditions {
		since := "since " + day(o.Since)
		if o.Absent != nil {
			since += ", not found any more since " + day(*o.Absent)
		}
		a.printf("%-8s  %s (%s)\n          %s\n", o.Severity, inTable(o.Title), since, inTable(o.Text))
	}
	if len(n.Ways) == 0 {
		a.printf("Nobody is told: set notify.mail, notify.webhook, notify.ntfy or notify.command.\n")
	}
	for _, w := range n.Ways {
		text := "in order"
		if w.Error != "" {
			text = fmt.Sprintf("failed %s in a row: %s", count(int64(w.Failures), "time"), inTable(w.Error))
		}
		a.printf("%-8s  %s, %s waiting\n", w.Name, text, count(int64(w.Waiting), "notice"))
	}
}

func (a *app) noticeTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test",
		Short: "Send a test by every way",
		Long:  "Send a test by every way that is configured, now and once, and say what came of each. The exit status is 1 if one failed, or none is configured.",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
				out, err := cl.TestNotices(ctx)
				if err != nil {
					return err
				}
				if a.json {
					err = a.printJSON("notice.test", out)
				} else {
					a.showTest(out)
				}
				if err == nil && (len(out.Ways) == 0 || slices.ContainsFunc(out.Ways, func(o notice.Outcome) bool { return !o.OK })) {
					err = &exitError{code: exitNegative}
				}
				return err
			})
		},
	}
}

func (a *app) showTest(out control.NoticeTest) {
	if len(out.Ways) == 0 {
		a.printf("Nobody can be told: set notify.mail, notify.webhook, notify.ntfy or notify.command.\n")
	}
	for _, o := range out.Ways {
		if o.OK {
			a.printf("ok    %-8s %s\n", o.Way, inTable(o.Said))
		} else {
			a.printf("FAIL  %-8s %s\n", o.Way, inTable(strings.TrimSpace(o.Error)))
		}
	}
}
