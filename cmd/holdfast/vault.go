package main

import (
	"github.com/spf13/cobra"
)

func (a *app) vaultCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "vault",
		Short: "Keep independent, encrypted copies, and look after them",
		Long: `A vault is an independent, encrypted copy of everything: with one vault and the recovery key everything is rebuilt
("holdfast restore"). The first one is made by itself beside the data directory; put others on other disks and in other houses.

What ends together (a disk, a house, an account at a provider) is one failure domain: say it with --domain.`,
	})
	return c
}
