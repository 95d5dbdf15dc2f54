package main

import (
	"os"
	"strings"

	"holdfast/internal/config"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "config",
		Short: "Show and check the configuration",
		Long: `Settings come from flags, then from HOLDFAST_* in the environment (a secret also from the file that
HOLDFAST_..._FILE names), then from DATA/holdfast.toml or --config, then from the defaults. A setting that is not
known is an error.`,
		Example: `  holdfast config print
  holdfast config print > holdfast.toml
  HOLDFAST_RETRY_AFTER=2m holdfast config validate`,
	})
	c.AddCommand(a.configPrint(), a.configValidate())
	return c
}

func (a *app) configPrint() *cobra.Command {
	c := &cobra.Command{
		Use:   "print",
		Short: "Show every setting with its value and where it comes from",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON("config", map[string]any{"file": cfg.File, "settings": settings(cfg)})
			}
			for _, k := range cfg.Keys() {
				a.printf("# %s\n", plainHelp(k))
				line := k.Name + " = " + k.TOML()
				if k.Secret || k.Name == "data" && !strings.HasPrefix(cfg.Sources[k.Name], "file ") {
					line = "# " + line // a masked secret is not to be read again; the file in the data directory cannot say where that is
				}
				a.printf("%s  # %s\n", line, cfg.Sources[k.Name])
			}
			return nil
		},
	}
	config.AddServeFlags(c.Flags())
	return c
}

type setting struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"`
	Env    string `json:"env"`
	Flag   string `json:"flag,omitempty"`
	Help   string `json:"help"`
}

func settings(c *config.Config) []setting {
	var out []setting
	for _, k := range c.Keys() {
		s := setting{Key: k.Name, Value: k.JSON(), Source: c.Sources[k.Name], Env: k.Env(), Help: plainHelp(k)}
		if k.Flag != "" {
			s.Flag = "--" + k.Flag
		}
		out = append(out, s)
	}
	return out
}

func (a *app) configValidate() *cobra.Command {
	c := &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration, and the files that it names",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			for _, name := range []string{cfg.TLS.Cert, cfg.TLS.Key, cfg.ACME.Root} {
				if name == "" {
					continue
				}
				f, err := os.Open(name)
				if err != nil {
					return &exitError{exitUsage, "the configuration names a file that cannot be read: " + oneLine(err)}
				}
				f.Close()
			}
			if a.json {
				return a.printJSON("config.validate", map[string]any{"valid": true, "file": cfg.File})
			}
			from := "there is no file"
			if cfg.File != "" {
				from = "with the file " + cfg.File
			}
			a.printf("The configuration is valid (%s).\n", from)
			return nil
		},
	}
	config.AddServeFlags(c.Flags())
	return c
}

// plainHelp returns a key's help without the marks that flags need.
func plainHelp(k config.Key) string { return strings.ReplaceAll(k.Help, "`", "") }
