package doctor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/internal/control"
	"holdfast/internal/drill"
)

// copies says how far one accident reaches.
func (d *doctor) copies(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	where := d.status.Why + d.places()
	switch s := d.status; {
	case s.Verdict == "":
		return unknown("the server does not say", "Ask a server of this version.")
	case s.Verdict == "ok":
		return ok(where)
	case s.Verdict == "late":
		return warn(where, "What was changed lately may be lost with this disk.", "Look at `holdfast vault status`, and have the vault reached again.")
	case s.Domains < 2:
		return warn(where, "If this disk or this house is lost, everything is lost with it.", "Add a vault elsewhere: holdfast vault add NAME KIND LOCATION --domain LABEL")
	}
	return unknown(where, "Run it again in a moment.")
}

// places names each copy with what ends together with it. What is not known counts as together.
func (d *doctor) places() string {
	var out []string
	for _, v := range d.vaults.Vaults {
		with := "apart from the others"
		if len(v.SameDomainAs) > 0 {
			with = "ends together with " + strings.Join(v.SameDomainAs, " and ")
		}
		out = append(out, fmt.Sprintf("%s (%s, %s) %s", v.Name, v.Domain, v.State, with))
	}
	if len(out) == 0 {
		return ""
	}
	return "; " + strings.Join(out, "; ")
}

// recoveryKey says whether somebody could read the vaults without this machine.
func (d *doctor) recoveryKey(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	if nag := d.status.KeyNag; nag != "" {
		what, fix, _ := strings.Cut(nag, ". ")
		return warn(what, "Without that key nobody can read the vaults once this disk is lost.", fix)
	}
	k, err := d.opened.Keys(ctx)
	if err != nil {
		return unknown("the keys cannot be asked for: "+err.Error(), "Run it again.")
	}
	if len(k.Recovery) == 0 {
		return unknown("the server does not say whether there is a recovery key", "Look with `holdfast key show`.")
	}
	if _, err := os.Stat(d.o.KeyFile); d.o.KeyFile != "" && err == nil {
		return warn("a recovery key lies in "+d.o.KeyFile+", beside the data", "It is lost together with the disk, and whoever takes this disk reads every vault with it.",
			"Take it away: print it, or put it on a stick or into a password manager; prove that copy (holdfast key check FILE), then remove the file here")
	}
	last := k.Recovery[len(k.Recovery)-1]
	if last.Checked == nil {
		return warn("the recovery key was made "+d.ago(last.Made)+", and never checked", "If it was written down wrongly, or is lost already, that is noticed on the day on which it is needed.",
			"Prove that you have it, with the copy that you keep: holdfast key check FILE")
	}
	return ok("the recovery key was checked " + d.ago(*last.Checked))
}

// ago says how long something is past.
func (d *doctor) ago(t time.Time) string {
	days := int(d.o.Clock.Now().Sub(t).Hours() / 24)
	on := t.UTC().Format("2006-01-02 15:04 MST")
	switch {
	case days < 1:
		return "on " + on
	case days == 1:
		return "on " + on + ", a day ago"
	}
	return fmt.Sprintf("on %s, %d days ago", on, days)
}

// maxDrills is how many results are looked through for the newest of each vault.
const maxDrills = 200

// drills says of each vault when it was last proved that what it holds can be restored.
func (d *doctor) drills(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	if !slices.ContainsFunc(d.vaults.Vaults, func(v control.VaultState) bool { return v.Kind != ledger }) {
		return skipped("there is no vault", "Add one: holdfast vault add NAME KIND LOCATION --domain LABEL")
	}
	list, err := d.opened.Drills(ctx, maxDrills)
	if err != nil {
		return unknown("the drills cannot be asked for: "+err.Error(), "Look with `holdfast drill list`.")
	}
	newest := map[string]drill.Result{}
	for _, r := range list {
		if _, has := newest[r.Vault]; !has && r.Result != drill.Running {
			newest[r.Vault] = r
		}
	}
	out := Check{}
	for _, v := range d.vaults.Vaults {
		if v.Kind == ledger {
			continue // nothing is restored from it alone
		}
		r := newest[v.Name]
		c := d.drilled(v.Name, r.Result, r.Ended)
		if c.Result == OK && out.Result == OK {
			out.Detail += "; " + c.Detail
		}
		if graver(c, out) {
			out = c
		}
	}
	return out
}

// lateDrills is how many of the drills that are due may be missing before it is worth a warning.
const lateDrills = 3

// drilled judges the newest drill of a vault by its result and its end.
func (d *doctor) drilled(vault string, result drill.Outcome, ended time.Time) Check {
	do := "Do one now, and look at what it says: holdfast drill run --vault " + vault
	switch {
	case result == "":
		return warn("there was no drill of "+vault+" yet", "Whether that copy can be restored was never proved on these data.", do)
	case result == drill.Fail:
		return failed("the last drill of "+vault+" failed, "+d.ago(ended), "What was restored differed from what is here, or could not be restored: that copy may be worth nothing.", "See `holdfast drill list` and `holdfast vault status`. "+do)
	case result != drill.Pass:
		return unknown(fmt.Sprintf("the last drill of %s is %s, %s", vault, result, d.ago(ended)), "See `holdfast drill list`. "+do)
	case d.o.Clock.Now().Sub(ended) > lateDrills*d.c.Drill.Interval:
		return warn("the last drill of "+vault+" passed, "+d.ago(ended), "What was stored since then was never restored.", "The service drills by itself while it runs; its log says why it does not. "+do)
	}
	return ok("the last drill of " + vault + " passed, " + d.ago(ended))
}
