package doctor

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
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

// lastDrill says when it was last proved that what the vaults hold can be restored.
func (d *doctor) lastDrill(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if d.o.LastDrill == nil {
		return skipped("this version does no drills", "Try a restore yourself now and then: holdfast restore --dry-run --from VAULT --key FILE --into DIR")
	}
	last, err := d.o.LastDrill(ctx)
	if err != nil {
		return unknown("the last drill cannot be read: "+err.Error(), "Look with `holdfast drill list`.")
	}
	return d.judgeDrill(last.Result, last.Ended)
}

// judgeDrill judges a drill by its result and its end.
func (d *doctor) judgeDrill(result string, ended time.Time) Check {
	const do = "Do one now, and look at what it says: holdfast drill run"
	switch {
	case result == "":
		return warn("there was no drill yet", "Whether the copies can be restored was never proved on these data.", do)
	case result == "fail":
		return failed("the last drill failed, "+d.ago(ended), "What was restored differed from what is here, or could not be restored: a copy may be worth nothing.", "Look with `holdfast drill list`, and at `holdfast vault status`; "+do)
	case result != "pass":
		return unknown("the last drill came to no result ("+result+"), "+d.ago(ended), do)
	case d.o.Clock.Now().Sub(ended) > d.c.Doctor.Drill:
		return warn("the last drill passed, "+d.ago(ended), "What was stored since then was never restored.", do)
	}
	return ok("the last drill passed, " + d.ago(ended))
}
