package doctor

import "context"

// photos says how the index of photos fares. It is derived: nothing that is wrong with it is wrong with the data, but what it could not read.
func (d *doctor) photos(ctx context.Context) Check {
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("the store cannot be asked", "See above.")
	}
	p := d.status.Photos
	switch {
	case p == nil && !d.status.Running:
		return skipped("no service runs, and it is that which looks at photos", "Start it: holdfast serve")
	case p == nil:
		return unknown("the service does not say how its index of photos fares", "Its log says why, if it could not be opened; otherwise ask a server of this version.")
	case p.Broken > 0:
		return warn(p.String(), "Photos whose octets are damaged or lost here may be whole on a phone or in a vault.", "holdfast scrub mends what a vault has; holdfast photos list names the others")
	}
	return ok(p.String())
}
