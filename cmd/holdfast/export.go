package main

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/transfer"

	"github.com/spf13/cobra"
)

func (a *app) exportCommand() *cobra.Command {
	var to string
	var merged bool
	c := &cobra.Command{
		Use:   "export EMAIL --to DIR|FILE.zip",
		Short: "Take an account's data out, every octet as it was received",
		Long: `Take an account's data out, as it is at this moment: a directory, or a zip file if the name ends in .zip;
any other name is a directory, whatever it looks like, and the directory above it must be there.

It holds the account's tree (addressbooks/default/....vcf and so on), every file octet for octet as it was received, and manifest.json
with the SHA-256 of each, which the export compares before it appears. It appears whole, or not at all, and never
overwrites. "holdfast import" takes its contacts, events, to-dos and notes back.

With --merged it holds also one file of each address book and calendar, as other programs import them:
merged/addressbooks/default.vcf, merged/calendars/default.ics and so on.`,
		Example: `  holdfast export alice@example.org --to alice.zip
  holdfast export alice@example.org --to /mnt/usb/alice-2026-11 --merged`,
		Args: account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if to == "" {
				return usage(cmd, errors.New("say where to with --to DIR or --to FILE.zip"))
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error { return a.export(ctx, cl, list[0], to, merged) })
		},
	}
	c.Flags().StringVar(&to, "to", "", "the `DIR`ectory or FILE.zip to make")
	c.Flags().BoolVar(&merged, "merged", false, "add one file of each address book and calendar, for other programs")
	return c
}

func (a *app) export(ctx context.Context, cl *control.Client, account, to string, merged bool) error {
	t, err := transfer.OpenTarget(to)
	if holdfast.IsKind(err, holdfast.Exists) {
		return refused("%s", sentence(err))
	}
	if err != nil {
		return err
	}
	defer t.Discard()
	in, err := cl.Export(ctx, account)
	if err != nil {
		return err
	}
	defer in.Close()
	bar := a.progress("resources", 0)
	defer bar.end()
	m, err := transfer.Unpack(ctx, in, t, merged, bar.at)
	if err == nil {
		err = t.Commit()
	}
	if err != nil {
		return err
	}
	bar.end()
	var sum int64
	for _, f := range m.Files {
		sum += f.Octets
	}
	if a.json {
		return a.printJSON("export", map[string]any{"account": m.Account.Email, "id": m.Account.ID, "to": to, "files": len(m.Files), "octets": sum,
			"collections": len(m.Collections), "epoch": m.Epoch, "seq": m.Seq, "chain": m.Chain, "digest": m.Digest, "lost": len(m.Lost)})
	}
	a.printf("Exported %s (%s) of %s to %s; every file matches its SHA-256.\n", count(int64(len(m.Files)), "resource"), octets(sum), m.Account.Email, to)
	if n := len(m.Lost); n > 0 {
		a.printf("The octets of %s more are not to be had; %s names them under \"lost\".\n", count(int64(n), "resource"), transfer.ManifestName)
	}
	return nil
}
