package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"holdfast/internal/config"
	"holdfast/internal/registry"
	"holdfast/internal/restore"
	"holdfast/internal/seal"
	"holdfast/internal/vfs"
)

// inherited is what a restored store goes on with beside its content: what its vaults keep of the store that wrote into them.
type inherited struct {
	ring      *seal.Ring
	reg       *registry.Registry
	ack       string // policy.ack; empty: that of the list of vaults
	onFailure string // policy.on_failure; empty: not known
}

// heritage returns what the vaults keep of their store. Where none says that, the store gets keys of its own, and the vaults that it was restored from.
func heritage(ctx context.Context, o restore.Options, f restoreFlags) (inherited, error) {
	for _, v := range o.Vaults {
		var rec registry.Record
		if err := v.Service(ctx, &rec); err != nil {
			continue
		}
		ring, err := seal.ParseRing(rec.Keys)
		if err != nil {
			continue
		}
		h := inherited{ring: ring, reg: rec.Registry(), ack: rec.Ack, onFailure: rec.OnFailure}
		for i := range h.reg.Vaults { // a vault may have been carried to another place
			for n, from := range o.Vaults {
				if h.reg.Vaults[i].Vault == from.Meta().Vault && inDirectory(h.reg.Vaults[i].Kind) {
					h.reg.Vaults[i].Location = absolute(f.from[n])
				}
			}
		}
		return h, nil
	}
	ring, err := seal.NewRing(o.Recovery.Hybrid())
	if err != nil {
		return inherited{}, err
	}
	if err := ring.Add(o.Recovery); err != nil {
		return inherited{}, err
	}
	return inherited{ring: ring, reg: (&registry.Record{}).Registry()}, nil
}

// settings returns the lines of a configuration file that make the restored store's policy the one that held before; none where it holds by itself.
func (h *inherited) settings() (out []string) {
	if h.ack != "" && h.ack != policyOf(h.reg) {
		out = append(out, fmt.Sprintf("ack = %q", h.ack))
	}
	if h.onFailure != "" && h.onFailure != "strict" {
		out = append(out, fmt.Sprintf("on_failure = %q", h.onFailure))
	}
	return out
}

// configure writes the policy that held before into the configuration of a restored store. A file that the operator has put there stays as it is, and is named: what it says is meant.
func (h *inherited) configure(dir string) (told string, err error) {
	lines := h.settings()
	if len(lines) == 0 {
		return "", nil
	}
	name := filepath.Join(dir, config.FileName)
	text := []byte("# As it was before this store was restored.\n[policy]\n" + strings.Join(lines, "\n") + "\n")
	had, err := vfs.ReadFile(vfs.OS, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", vfs.WriteFileAtomic(vfs.OS, name, text, 0o600)
	case err != nil:
		return "", err
	case bytes.Equal(had, text): // of a run that was cut
		return "", nil
	}
	return fmt.Sprintf("The store that was lost had another policy than the default; %s was left as it is: look whether it says in [policy]: %s", name, strings.Join(lines, ", ")), nil
}

// lossesText says what was lost, one line each: whose, which item, of which kind, from which change on, when, and why.
func lossesText(rep *restore.Report) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "What could not be restored from %s. The same stands in %s, for programs.\n\n", strings.Join(rep.Vaults, ", "), lossesName)
	for _, l := range rep.Losses {
		b.WriteString(describeLoss(&l) + "\n")
	}
	for _, why := range rep.Unsure {
		fmt.Fprintf(&b, "More may be lost, and nothing here can say whose it was: %s\n", inTable(why))
	}
	if rep.Whole() {
		b.WriteString("Nothing is lost: what is damaged in one place was found in another.\n")
	}
	for _, d := range rep.Damage {
		fmt.Fprintf(&b, "damaged in the vault %s: %s: %s\n", inTable(d.Vault), inTable(d.Object), inTable(d.What))
	}
	return b.Bytes()
}

// describeLoss says one loss in one line.
func describeLoss(l *restore.Loss) string {
	what := "not known by name"
	if where := strings.Trim(l.Collection+"/"+l.Name, "/"); where != "" {
		what = inTable(where)
		if l.Kind != "" {
			what = l.Kind + " " + what
		}
	}
	seqs := fmt.Sprintf("change %d", l.SeqFrom)
	if l.SeqTo > l.SeqFrom {
		seqs = fmt.Sprintf("changes %d to %d", l.SeqFrom, l.SeqTo)
	}
	since := ""
	if !l.Time.IsZero() {
		since = ", after " + day(l.Time)
	}
	return fmt.Sprintf("lost: %s: %s (%s)%s: %s", inTable(l.Account), what, seqs, since, inTable(l.Reason))
}
