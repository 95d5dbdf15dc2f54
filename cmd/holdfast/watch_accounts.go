package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/core"
	"holdfast/internal/notice"
)

// accounts tells of accounts and devices that wait, because a phone has seen more than the store has. It is told again each incident.remind, and after incident.deadline louder: nothing releases
// anybody by itself, because that is what empties phones.
func (w *watcher) accounts(now time.Time) []notice.Condition {
	all := w.doubts()
	if len(all) == 0 {
		return nil
	}
	held, devices, oldest := int64(0), int64(0), now
	why := "An operator holds it."
	for _, x := range all {
		if !x.ByHand || !x.Device.IsZero() || len(x.Evidence) > 0 {
			why = "A device has seen more than the store has."
		}
		if !x.Since.IsZero() {
			held, oldest = held+1, earlier(oldest, x.Since)
		}
		for _, e := range x.Evidence {
			if e.Open() {
				devices, oldest = devices+1, earlier(oldest, e.Since)
			}
		}
	}
	c := notice.Condition{Key: "accounts.doubt", Severity: notice.Critical, Measure: float64(len(all)), Since: oldest, Grade: int(now.Sub(oldest) / max(w.c.Incident.Remind, time.Second)),
		Title: count(int64(len(all)), "account") + " in doubt",
		Text: why + fmt.Sprintf(" %s and %s are answered 503, and keep what they have until you decide: holdfast incident list. ",
			count(held, "account"), count(devices, "device"))}
	if late := now.Sub(oldest) - w.c.Incident.Deadline; late >= 0 {
		c.Grade += overdue
		c.Text += fmt.Sprintf("The decision was due on %s: whoever waits syncs nothing, and what they write meanwhile is on the phone alone.", oldest.Add(w.c.Incident.Deadline).UTC().Format(time.DateOnly))
	} else {
		c.Text += fmt.Sprintf("Decide by %s: whoever waits syncs nothing.", oldest.Add(w.c.Incident.Deadline).UTC().Format(time.DateOnly))
	}
	return []notice.Condition{c}
}

// burstNotice is a burst of deletions in the words of those who are told.
type burstNotice struct {
	core.Burst
	Email, Name string // of the account, and of the device
}

// bursts returns the bursts that are new. What has no name any more has its id.
func (s *server) bursts() (out []burstNotice) {
	for _, b := range s.store.core.Bursts() {
		n := burstNotice{b, b.Owner.String(), b.Device.String()}
		if a, err := s.store.core.Account(context.Background(), n.Email); err == nil {
			n.Email = a.Email
		}
		if list, err := s.store.core.Devices(context.Background(), b.Account); err == nil {
			if i := slices.IndexFunc(list, func(d core.Device) bool { return d.ID == b.Device }); i >= 0 {
				n.Name = list[i].Name
			}
		}
		out = append(out, n)
	}
	return out
}

// burst tells of devices that deleted or overwrote much at once. It may be what somebody wanted: it is told once, and kept. What was counted when it was noticed says little of all of it: how much it is, is on the page.
func (w *watcher) burst() (found []notice.Condition) {
	for _, b := range w.bursts() {
		c := notice.Condition{Key: "burst." + b.ID.String(), Severity: notice.Warning, Since: b.At, Sure: true, Title: fmt.Sprintf("%s deletes much from %s", b.Name, b.Email),
			Text: fmt.Sprintf("It began at %s UTC. By %s, when that was noticed, it had deleted %s and overwritten %d; it may have gone on. Nothing is lost: every version is kept. If nobody wanted that, undo all of it in one step, on the page %s, or: holdfast undo %s --burst %s",
				b.Began.UTC().Format("2006-01-02 15:04"), b.At.UTC().Format("15:04"), count(int64(b.Deleted), "item"), b.Overwritten, pageOf(w.c, "/activity"), b.Email, b.ID)}
		if b.Reset {
			c.Title = fmt.Sprintf("%s listed everything of %s anew, and deletes", b.Name, b.Email)
		}
		found = append(found, c)
	}
	return found
}

// overdue is how much more a condition weighs whose deadline has passed.
const overdue = 1000

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
