package doctor

import (
	"context"
	"fmt"
	"strings"

	"holdfast/internal/control"
)

// connect asks for the store once.
func (d *doctor) connect(ctx context.Context) error {
	if !d.asked {
		d.asked = true
		if d.opened, d.done, d.err = d.o.Connect(ctx); d.err == nil {
			d.status, d.err = d.opened.Status(ctx)
		}
		if d.err == nil {
			d.asServed()
			d.vaults, d.err = d.opened.VaultStatus(ctx)
		}
	}
	return d.err
}

// asServed looks from here on at the settings that the running server has, but for those that this command was given by flags of its own: those are to be tried.
func (d *doctor) asServed() {
	s := d.status.Serving
	if s == nil {
		return
	}
	c := *d.c
	take := func(set func(), names ...string) {
		for _, name := range names {
			if strings.HasPrefix(c.Sources[name], "flag") {
				return
			}
		}
		set()
	}
	take(func() { c.Listen = s.Listen }, "listen")
	take(func() { c.AdminListen = s.AdminListen }, "admin_listen")
	take(func() {
		c.TLS.Cert, c.TLS.Key, c.ACME.Domains, c.HTTPWithoutTLS = s.TLSCert, s.TLSKey, s.ACME, s.HTTPWithoutTLS
	}, "tls.cert", "tls.key", "acme.domain", "http_without_tls")
	take(func() { c.PublicURL = s.PublicURL }, "public_url")
	take(func() { c.TrustedProxies = s.TrustedProxies }, "trusted_proxy")
	d.c = &c
}

func (d *doctor) store(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked: "+err.Error(), "If a server runs, look at its log; otherwise do what the sentence says.")
	}
	s := d.status
	var bad []string
	for _, c := range s.Checks {
		if !c.OK && !c.Warning { // copies have a check of their own
			bad = append(bad, c.Name+": "+c.Detail)
		}
	}
	if len(bad) > 0 {
		return failed(strings.Join(bad, "; "), "The service does not do all of its work.", "Look at its log.")
	}
	detail := fmt.Sprintf("%s, %d account%s, %d KiB", s.Engine, s.Accounts, map[bool]string{false: "s"}[s.Accounts == 1], (s.Octets+1023)>>10)
	if s.Running && s.Since != nil {
		detail += fmt.Sprintf("; a server runs since %s", s.Since.UTC().Format("2006-01-02 15:04 MST"))
	} else {
		detail += "; no server runs, and the store opens"
	}
	if s.InDoubt > 0 {
		return failed(fmt.Sprintf("%s; of %d accounts a device has seen more than this store has (`holdfast incident list`)", detail, s.InDoubt),
			"The store may be older than what phones have: an old copy was put in place.", "Find out which copy is newest before anything is written; the log names the accounts.")
	}
	if s.Ghosts > 0 {
		return warn(detail+"; "+knownLost(s.Ghosts), "Devices that have them keep them, and no others can get them.",
			"Change and save each on a device that has it, or bring it in with `holdfast salvage` or `holdfast repair --from VAULT`; `holdfast export` names them.")
	}
	if r := s.Returning; r.Files > 0 {
		return warn(fmt.Sprintf("%s; %d large files, %d KiB, are not on its disk%s", detail, r.Files, (r.Octets+1023)>>10, because(r.Trouble)), "A vault is read for them until they are copied back.",
			"Nothing, as long as it gets less: `holdfast status` tells. Otherwise look at what keeps it; `holdfast repair --from VAULT` brings them in out of any vault.")
	}
	return ok(detail)
}

// because puts what keeps something from happening behind a sentence.
func because(trouble string) string {
	if trouble == "" {
		return ""
	}
	return " (" + trouble + ")"
}

// knownLost counts ghosts.
func knownLost(n int64) string {
	if n == 1 {
		return "1 item is known to be lost"
	}
	return fmt.Sprintf("%d items are known to be lost", n)
}

// listed is how many findings a detail names.
const listed = 5

func (d *doctor) integrity(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	n, lost := 0, int64(0)
	var lines []string
	err := d.opened.Check(ctx, d.o.Octets, func(f control.Finding) {
		if f.Lost {
			lost++
			return
		}
		if n++; len(lines) < listed {
			lines = append(lines, describe(f))
		}
	})
	what := "structure, chains and digests"
	if d.o.Octets {
		what += ", the hash of every body, and the UIDs and times in the index"
	}
	switch {
	case n > 0:
		if n > len(lines) {
			lines = append(lines, fmt.Sprintf("and %d more", n-len(lines)))
		}
		return failed(strings.Join(lines, "; "), "Stored data is damaged, or was changed by something else than Holdfast.",
			"Stop the server, copy the data directory aside as it is, and look at the disk's health before anything is repaired.")
	case err != nil:
		return unknown("the check did not come to its end: "+err.Error(), "Run it again.")
	}
	if what += " fit together"; lost > 0 {
		what += "; " + knownLost(lost)
	}
	return ok(what)
}

func describe(f control.Finding) string {
	var at []string
	if f.Account != "" {
		at = append(at, "account "+f.Account)
	}
	if f.Collection != "" {
		at = append(at, "collection "+f.Collection)
	}
	if f.Name != "" {
		at = append(at, f.Name)
	}
	if f.Seq != 0 {
		at = append(at, fmt.Sprintf("change %d", f.Seq))
	}
	if len(at) == 0 {
		return f.What
	}
	return strings.Join(at, ", ") + ": " + f.What
}
