package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"holdfast/internal/clock"
)

// scrubs says when everything that the store and each vault hold was last read, and what was found.
func (d *doctor) scrubs(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	all := []Check{d.engineScrub()}
	for _, v := range d.vaults.Vaults {
		all = append(all, d.scrubbed("the vault "+v.Name, "holdfast vault scrub "+v.Name, "holdfast vault repair "+v.Name, v.LastScrub, v.Added, int64(len(v.Damaged)), 2*d.c.Vault.Scrub))
	}
	out, fine := Check{}, []string{}
	for _, c := range all {
		if c.Result == OK {
			fine = append(fine, c.Detail)
		}
		if graver(c, out) {
			out = c
		}
	}
	if out.Result == OK {
		out.Detail = strings.Join(fine, "; ")
	}
	return out
}

// engineScrub judges the last reading of the engine.
func (d *doctor) engineScrub() Check {
	s := d.status.EngineScrub
	if s == nil {
		return unknown("the server does not say when the store was last read", "Ask a server of this version.")
	}
	return d.scrubbed("the store", "holdfast scrub", "holdfast scrub", s.Ended, nil, s.Left, d.c.Scrub.Within)
}

// scrubbed judges one reading. Where there was none it counts from when the place was added, if that is known.
func (d *doctor) scrubbed(what, read, mend string, last, added *time.Time, damaged int64, within time.Duration) Check {
	const unseen = "What rotted there would go unnoticed until it is needed."
	text := fmt.Sprintf("%s was never read as a whole", what)
	if last != nil {
		text = fmt.Sprintf("%s was last read as a whole %s", what, d.ago(*last))
	}
	due := fmt.Sprintf("; that must be done within %s", clock.Words(within))
	since := last
	if since == nil {
		since = added
	}
	switch {
	case damaged > 0:
		return failed(fmt.Sprintf("%s, and holds %d damaged thing%s", text, damaged, map[bool]string{false: "s"}[damaged == 1]), "A copy that is damaged may be the one that is needed.", "See what it is, and have it mended: "+mend)
	case since != nil && since.Sub(d.o.Clock.Now()) > d.c.Doctor.ClockOff:
		return unknown(text+", which is still to come: a clock was wrong", "Have it read now: "+read)
	case since != nil && d.o.Clock.Now().Sub(*since) > within:
		return warn(text+due, unseen, "The service does it by itself while it runs; look at its log, and have it done now: "+read)
	case last == nil:
		return warn(text+" yet"+due, unseen, "The service does it by itself while it runs. To have it done now: "+read)
	}
	return ok(text)
}
