package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/internal/config"
	"holdfast/internal/vfs"
)

// moreKeys are the settings without a flag that holdfast.toml names too, as comments; the others are in `holdfast config print`.
var moreKeys = []string{"acme.email", "policy.on_failure", "log.level", "log.format", "vault.scrub", "keys.nag", "erase.wait", "limits.resource", "limits.quota", "timeouts.shutdown"}

// writeConfig writes holdfast.toml into the data directory, unless the settings come from a file already.
func (q *quickstart) writeConfig() error {
	if q.c.File != "" {
		detail := q.c.File + " is there, and was not changed"
		if other := q.differing(); len(other) > 0 {
			detail += "; the flags say otherwise, so change it yourself: " + strings.Join(other, ", ")
		}
		q.step("settings", "kept", detail)
		return nil
	}
	q.trustProxy()
	name := filepath.Join(q.c.Data, config.FileName)
	if err := vfs.CreateExclusive(vfs.OS, name, []byte(q.toml()), 0o600); err != nil {
		return refused("%s could not be written: %s", name, oneLine(err))
	}
	if _, err := config.Load(config.Source{Environ: []string{"HOLDFAST_DATA=" + q.c.Data}}); err != nil {
		return fmt.Errorf("the settings in %s are not what was meant: %w", name, err)
	}
	detail := name
	if stay := q.inEnvironment(); len(stay) > 0 {
		detail += "; the environment says " + strings.Join(stay, ", ") + ", and the service must be given that too"
	}
	q.step("settings", "made", detail)
	return nil
}

// trustProxy has a service that others reach under an https address, and that speaks no TLS itself, believe a proxy on this machine: there must be one.
func (q *quickstart) trustProxy() {
	u, err := url.Parse(q.c.PublicURL)
	if err == nil && u.Scheme == "https" && !q.c.HasTLS() && !q.c.BeyondLoopback() && len(q.c.TrustedProxies) == 0 {
		q.trusts = true
		q.c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}
	}
}

// chosen tells whether a setting is one that this run decided.
func (q *quickstart) chosen(k config.Key) bool {
	return strings.HasPrefix(q.c.Sources[k.Name], "flag ") || k.Name == "trusted_proxy" && q.trusts
}

// toml writes the file: each setting that was chosen, and the others as comments with their defaults.
func (q *quickstart) toml() string {
	var b strings.Builder
	b.WriteString("# The settings of Holdfast. Flags of `holdfast serve` and HOLDFAST_* in the environment win over this file.\n" +
		"# All settings, with where each comes from: holdfast config print. After a change: holdfast config validate, then start the service again.\n" +
		"# A line that begins with # says what holds anyway.\n")
	for _, k := range q.c.Keys() {
		if k.Name == "data" || k.Secret || k.Flag == "" && !slices.Contains(moreKeys, k.Name) {
			continue
		}
		mark := "# "
		if q.chosen(k) {
			mark = ""
		}
		fmt.Fprintf(&b, "\n# %s\n%s%s = %s\n", plainHelp(k), mark, k.Name, k.TOML())
	}
	return b.String()
}

// differing names the settings of which a flag says something else than the file.
func (q *quickstart) differing() (out []string) {
	file, err := config.Load(config.Source{Environ: []string{"HOLDFAST_DATA=" + q.c.Data, "HOLDFAST_CONFIG=" + q.c.File}})
	if err != nil {
		return nil
	}
	texts := map[string]string{}
	for _, k := range file.Keys() {
		texts[k.Name] = k.Text()
	}
	for _, k := range q.c.Keys() {
		if k.Name != "data" && !k.Secret && strings.HasPrefix(q.c.Sources[k.Name], "flag ") && texts[k.Name] != k.Text() {
			out = append(out, fmt.Sprintf("%s = %s", k.Name, k.TOML()))
		}
	}
	return out
}

// inEnvironment names the settings that this run has from the environment, which a service does not.
func (q *quickstart) inEnvironment() (out []string) {
	for _, k := range q.c.Keys() {
		if k.Name != "data" && strings.HasPrefix(q.c.Sources[k.Name], "environment ") {
			out = append(out, k.Env())
		}
	}
	return out
}
