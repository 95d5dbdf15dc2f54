package web

import (
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// maxLook is how many of the newest changes are looked at for what was there before, and for what devices sent: that bounds what the page costs, whatever the account holds.
const maxLook = 5000

// sentFor is for how long back it is counted what devices sent.
const sentFor = 7 * 24 * time.Hour

// moments are those that are shown, if the account was there then.
var moments = []struct {
	name string
	back time.Duration
}{{"A day ago", 24 * time.Hour}, {"A week ago", 7 * 24 * time.Hour}, {"A month ago", 30 * 24 * time.Hour}, {"A year ago", 365 * 24 * time.Hour}}

// moment is what was there at one, in words.
type moment struct {
	Name                    string
	At                      time.Time
	Far                     bool // too much has changed since to count it for a page
	Held                    string
	Added, Removed, Changed int64
}

// past says what was there at earlier moments, as far as that was read.
func past(rd *core.Reader, l *core.Lookback, now time.Time) (out []moment, err error) {
	var first time.Time // when the account's history begins
	err = rd.History().Changes(rd.Owner().ID, 0, 1, 0, func(c *holdfast.Change) error { first = c.At; return nil })
	if err != nil {
		return nil, err
	}
	for _, x := range moments {
		m := moment{Name: x.name, At: now.Add(-x.back)}
		if m.At.Before(first) {
			break
		}
		list, ok, err := l.At(m.At)
		if err != nil {
			return nil, err
		}
		m.Far = !ok
		if ok {
			m.sum(list)
		}
		out = append(out, m)
	}
	return out, nil
}

// sum counts by kind.
func (m *moment) sum(list []core.Held) {
	items := map[string]int64{}
	for i := range list {
		kind := kindOf(&list[i].Collection)
		if kind == "" {
			continue
		}
		items[kind] += list[i].Items
		m.Added, m.Removed, m.Changed = m.Added+list[i].Added, m.Removed+list[i].Removed, m.Changed+list[i].Changed
	}
	var parts []string
	for _, kind := range kindNames {
		if n := items[kind]; n > 0 {
			many := strings.ToLower(kind)
			one := strings.TrimSuffix(many, "s")
			if kind == "Calendar entries" {
				one = "calendar entry"
			}
			parts = append(parts, count(n, one, many))
		}
	}
	m.Held = listed(parts)
	if len(parts) == 0 {
		m.Held = "nothing"
	}
}

// listed joins words as a sentence does.
func listed(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// deviceSent is what a device sent, in words.
type deviceSent struct {
	Last  time.Time // zero: nothing, as far as that was looked at
	What  string
	Week  int64  // changes in the last days
	Of    string // which
	Least bool   // there may be more: it was not looked at all of them
	Since time.Time
}

// sentBy says what a device sent.
func sentBy(l *core.Lookback, device holdfast.ID, now time.Time) *deviceSent {
	from := now.Add(-sentFor)
	x := l.SentBy(device, from)
	out := &deviceSent{Last: x.Last, What: "a deletion"}
	if x.Put {
		one, _ := kindNouns(x.Kind)
		out.What = one
	}
	if !l.Whole {
		out.Since = l.Reach()
		out.Least = out.Since.After(from)
	}
	var parts []string
	kinds := make([]holdfast.Kind, 0, len(x.Count))
	for k := range x.Count {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		_, many := kindNouns(k)
		out.Week += x.Count[k]
		parts = append(parts, thousands(x.Count[k])+" of "+many)
	}
	out.Of = listed(parts)
	return out
}

// kindNouns say what a change is of.
func kindNouns(k holdfast.Kind) (one, many string) {
	switch k {
	case holdfast.KindAddress:
		return "a contact", "contacts"
	case holdfast.KindEvent:
		return "an event", "events"
	case holdfast.KindTodo:
		return "a to-do", "to-dos"
	case holdfast.KindJournal:
		return "a note", "notes"
	case holdfast.KindFile:
		return "a file", "files"
	case holdfast.KindReference:
		return "a photo in an album", "photos in albums"
	case holdfast.KindCollection:
		return "a collection", "collections"
	}
	return "an entry", "other entries"
}
