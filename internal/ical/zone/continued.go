package zone

import "holdfast/internal/ical/civil"

// continued is a definition that lists some changes of the clocks and then stops,
// of a zone that is well known. Programs that list no more than the years around
// now mean that zone all the same (khal lists one winter and one summer): from
// the last change that is listed the well-known zone goes on.
type continued struct {
	own  *defined
	then source
	last int64
}

// goOn continues a definition that ends, if the zone is well known. A definition of
// one part alone says that the clocks are not changed, and is believed.
func (c *Cache) goOn(z Zone, tzid string) Zone {
	own, ok := z.(*defined)
	if !ok || own.more || len(own.near) < 3 {
		return z
	}
	known, _ := c.Named(tzid)
	then, ok := known.(source)
	if !ok {
		return z
	}
	return &continued{own, then, own.near[len(own.near)-1].from}
}

func (c *continued) at(unix int64) (from, to, offset int64) {
	if unix < c.last {
		from, to, offset = c.own.at(unix)
		return from, min(to, c.last), offset
	}
	from, to, offset = c.then.at(unix)
	return max(from, c.last), to, offset
}

// Instant implements Zone.
func (c *continued) Instant(t civil.Time) int64 { unix, _ := locate(c, t); return unix }

// Exists implements Zone.
func (c *continued) Exists(t civil.Time) bool { _, ok := locate(c, t); return ok }

// Local implements Zone.
func (c *continued) Local(unix int64) civil.Time {
	_, _, offset := c.at(unix)
	return civil.Time(unix + offset)
}
