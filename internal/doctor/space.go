package doctor

import (
	"context"
	"fmt"
	"strings"
)

// inDirectory tells whether a vault of a kind lies in a directory of this machine.
func inDirectory(kind string) bool { return kind == "dir" || kind == ledger }

// ledger is the kind of a vault without octets.
const ledger = "ledger"

// space compares what is free with fixed limits, and with what is used: a restore beside it, or a copy before a repair, takes as much again.
func (d *doctor) space(ctx context.Context) Check {
	s, err := d.room(d.c.Data)
	if err != nil {
		return unknown("the free space of "+d.c.Data+" cannot be read: "+err.Error(), "Look with df.")
	}
	var used int64
	if d.there && d.connect(ctx) == nil {
		used = d.status.Octets
	}
	detail := fmt.Sprintf("%s of %s are free, and %s are used here", size(s.Free), size(s.Total), size(used))
	switch {
	case s.Free < d.c.Doctor.FreeFail:
		return failed(detail, "Soon nothing can be stored any more; phones then keep their changes to themselves.", "Make room on this disk, or move the data to a larger one.")
	case s.Free < d.c.Doctor.FreeWarn:
		return warn(detail, "The disk may be full before long.", "Make room on this disk.")
	case s.Free < used:
		return warn(detail, "What is there has no room a second time: no restore beside it, and no copy of it before something is repaired.", "Make room on this disk, or know of another one that is large enough.")
	}
	return ok(detail)
}

// vaultSpace looks at the disks of the vaults that lie in directories.
func (d *doctor) vaultSpace(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	var fine, low, full, dark []string
	for _, v := range d.vaults.Vaults {
		if !inDirectory(v.Kind) {
			continue
		}
		s, err := d.room(v.Location)
		text := fmt.Sprintf("%s has %s free", v.Name, size(s.Free))
		switch {
		case err != nil:
			dark = append(dark, v.Name+" ("+v.Location+"): "+err.Error())
		case s.Free < d.c.Doctor.FreeFail:
			full = append(full, text)
		case s.Free < d.c.Doctor.FreeWarn || s.Free < d.status.Octets:
			low = append(low, text)
		default:
			fine = append(fine, text)
		}
	}
	switch {
	case len(full) > 0:
		return failed(strings.Join(full, "; "), "Soon that vault takes nothing any more; if changes wait for it, none are taken then, and phones keep theirs to themselves.", "Make room there, or add a vault on a larger disk (holdfast vault add) and retire this one.")
	case len(low) > 0:
		return warn(strings.Join(low, "; "), "That vault may be full before long.", "Make room there.")
	case len(dark) > 0:
		return unknown(strings.Join(dark, "; "), "Look with df, and whether the disk, or the server that it lies on, is there.")
	case len(fine) == 0:
		return skipped("no vault lies on a disk of this machine", "Nothing: the machine that keeps a vault looks after its own disk.")
	}
	return ok(strings.Join(fine, "; "))
}

// size says octets to a person.
func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", (n+1023)>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
