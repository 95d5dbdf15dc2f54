package web

import (
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/refused"
)

// refusedCard is what a device sent in vain, and what is kept of it.
type refusedCard struct {
	Who     string
	Device  holdfast.ID
	Changes int
	Until   time.Time // when the first of it goes
	Some    []refused.Kept
}

// shownRefused is how many changes of one device are named.
const shownRefused = 5

// More is how many are not named.
func (c refusedCard) More() int { return c.Changes - len(c.Some) }

// refusedOf returns what is kept of what an account's devices sent and were refused, by device, the newest of each named.
func (s *Server) refusedOf(account holdfast.ID, devices []core.Device) (out []refusedCard) {
	if s.Refused == nil {
		return nil
	}
	for _, k := range slices.Backward(s.Refused(account)) {
		i := slices.IndexFunc(out, func(c refusedCard) bool { return c.Device == k.Device })
		if i < 0 {
			i = len(out)
			out = append(out, refusedCard{Who: "A device that was removed", Device: k.Device, Until: k.Until})
			for n := range devices {
				if devices[n].ID == k.Device {
					out[i].Who = devices[n].Name
				}
			}
		}
		c := &out[i]
		c.Changes++
		if k.Until.Before(c.Until) {
			c.Until = k.Until
		}
		if len(c.Some) < shownRefused {
			c.Some = append(c.Some, k)
		}
	}
	return out
}
