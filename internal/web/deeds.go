package web

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"holdfast"
	"holdfast/internal/content"
	"holdfast/internal/core"
)

// teller says in words what was done.
type teller struct {
	s           *Server
	ctx         context.Context
	me          string
	collections []holdfast.Collection
}

// row says a deed.
func (t *teller) row(d *core.Deed) deedRow {
	out := deedRow{At: d.At, Undone: d.Undone}
	switch {
	case d.Reversal != nil:
		out.Text, out.Note = t.reversal(d.Reversal)
		out.Undo = &undoForm{"reversal", d.Reversal.ID.String(), "Undo this", out.Text}
	case d.Burst != nil:
		out.Text, out.Undone = t.burst(d.Burst), d.Burst.Undone
		out.Undo = &undoForm{"burst", d.Burst.ID.String(), "Undo all of it", out.Text}
	case d.First == 1:
		out.Text = "Your account was made."
	default:
		out.Text = t.deed(d)
		if n := d.Items(); n > 1 {
			out.Undo = &undoForm{"change", strconv.FormatUint(d.Last, 10), "Undo", out.Text}
			if !moves(d) {
				out.Undo.Label = "Undo all " + thousands(int64(n))
			}
		} else if n == 1 {
			out.Undo = &undoForm{"change", strconv.FormatUint(d.Last, 10), "Undo", out.Text}
		}
	}
	if out.Undone {
		out.Undo = nil
	}
	return out
}

// burst says that there was one. What it did stands in its own lines.
func (t *teller) burst(b *core.Outburst) string {
	text := "Noticed that " + doerText(t.me, b.By, b.Name) + " deletes or overwrites much at once: "
	if b.Least {
		text += "at least "
	}
	return text + count(int64(b.Changes), "change", "changes") + " by " + stamp(b.To) + "."
}

// reversal says what an undo or a rewind was, and what it did.
func (t *teller) reversal(r *holdfast.ReversalRecord) (text, note string) {
	switch {
	case r.What == holdfast.Rewind:
		what := "everything"
		if !r.Collection.IsZero() {
			what = t.collection(r.Collection)
		}
		to := "after change " + thousands(int64(r.Seq))
		if !r.To.IsZero() {
			to = "on " + stamp(r.To)
		}
		text = "Brought " + what + " back to how it was " + to + "."
	case !r.Of.IsZero():
		text = "Undid an undo."
	case !r.Burst.IsZero():
		text = "Undid all that a device had deleted or overwritten at once."
	default:
		text = "Undid what was done before."
	}
	note = did(r.Added, r.Changed, r.Removed)
	if r.Collections > 0 {
		note += " " + sentence(count(int64(r.Collections), "collection", "collections")+" as before")
	}
	if !r.Done {
		note += " It was cut short: do the same again to go on."
	}
	return text, strings.TrimSpace(note)
}

// deed says what was done to items, collections and records.
func (t *teller) deed(d *core.Deed) string {
	if moves(d) {
		return t.move(d)
	}
	total := d.Added + d.Changed + d.Deleted + d.Records
	if total == 1 && len(d.Lines) == 1 {
		return t.one(&d.Lines[0])
	}
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{{d.Added, "added"}, {d.Changed, "changed"}, {d.Deleted, "deleted"}} {
		if x.n > 0 {
			parts = append(parts, x.what+" "+thousands(int64(x.n)))
		}
	}
	text := "Changed records of your account"
	if len(parts) > 0 {
		text = capital(listed(parts)) + " at once"
	}
	var names []string
	for i := range d.Lines {
		if d.Lines[i].Kind >= holdfast.KindCollection {
			names = append(names, noun(d.Lines[i].Kind)+" "+quoted(&d.Lines[i]))
		}
	}
	if len(names) == 0 {
		return text + "."
	}
	if more := d.Items() - len(names); more > 0 {
		names = append(names, thousands(int64(more))+" more")
	}
	return text + ": " + listed(names) + t.place(&d.Lines[0]) + "."
}

// one says what a change did by itself.
func (t *teller) one(l *core.Line) string {
	if l.Kind < holdfast.KindCollection {
		return t.record(l)
	}
	verb := "Changed"
	switch {
	case l.Op == holdfast.OpDelete:
		verb = "Deleted"
	case l.Prev == 0 || l.Was != nil && l.Was.Op == holdfast.OpDelete:
		verb = "Added"
	case l.Was != nil && l.Was.ETag == l.ETag && l.Was.PropsHash != l.PropsHash:
		verb = "Changed properties of"
	}
	text := verb + " the " + noun(l.Kind) + " " + quoted(l)
	if l.Kind == holdfast.KindCollection {
		if text = verb + " " + t.collection(l.Collection); l.Op == holdfast.OpDelete {
			text += ", with what was in it"
		}
		return text + "."
	}
	return text + t.place(l) + "."
}

// moves tells that what was deleted is what was added elsewhere.
func moves(d *core.Deed) bool {
	if d.Deleted == 0 || d.Added+d.Changed == 0 || len(d.Lines) != d.Items() {
		return false
	}
	put := d.Lines[len(d.Lines)-1]
	return put.Op == holdfast.OpPut && slices.ContainsFunc(d.Lines, func(l core.Line) bool { return l.Op == holdfast.OpDelete && l.Was != nil && l.Was.ETag == put.ETag })
}

func (t *teller) move(d *core.Deed) string {
	to := &d.Lines[len(d.Lines)-1]
	i := slices.IndexFunc(d.Lines, func(l core.Line) bool { return l.Op == holdfast.OpDelete && l.Was != nil && l.Was.ETag == to.ETag })
	from := &d.Lines[i]
	if from.Collection == to.Collection {
		return "Renamed the " + noun(to.Kind) + " " + quoted(to) + ", from " + from.Name + " to " + to.Name + "."
	}
	return "Moved the " + noun(to.Kind) + " " + quoted(to) + " from " + t.collection(from.Collection) + " to " + t.collection(to.Collection) + "."
}

// place says where an item lies.
func (t *teller) place(l *core.Line) string {
	if l.In == nil || l.Kind == holdfast.KindCollection {
		return ""
	}
	return ", in " + t.collection(l.Collection)
}

// collection names a collection.
func (t *teller) collection(id holdfast.ID) string {
	for i := range t.collections {
		if c := &t.collections[i]; c.ID == id {
			what := map[holdfast.CollectionType]string{holdfast.TypeAddressbook: "the address book", holdfast.TypeCalendar: "the calendar", holdfast.TypeAlbum: "the album"}[c.Type]
			if what == "" {
				what = "the folder"
			}
			return what + " “" + collectionLabel(c) + "”"
		}
	}
	return "a collection"
}

// record says what was done to one of the account's own records.
func (t *teller) record(l *core.Line) string {
	gone := l.Op == holdfast.OpDelete
	switch l.Kind {
	case holdfast.KindAccount:
		return "Changed your account: its name, password or state."
	case holdfast.KindDevice:
		name := ""
		if d, err := holdfast.DecodeDevice(l.Text); err == nil {
			name = " “" + d.Name + "”"
		}
		if gone {
			return "Revoked the device" + name + "."
		}
		return "Added the device" + name + "."
	case holdfast.KindShare:
		return t.share(l, gone)
	case holdfast.KindBinding:
		if gone {
			return "Took out of your home what another shares with you."
		}
		return "Took into your home, or labelled there, what another shares with you."
	}
	return "Changed a record of your account."
}

func (t *teller) share(l *core.Line, gone bool) string {
	x, err := holdfast.DecodeShare(l.Text)
	if err != nil {
		return "Changed with whom something is shared."
	}
	guest := "an account that is gone"
	if a, err := t.s.Core.Account(t.ctx, x.Guest.String()); err == nil {
		guest = a.Email
	}
	if gone {
		return fmt.Sprintf("Ended sharing %s with %s.", t.collection(x.Collection), guest)
	}
	return fmt.Sprintf("Shared %s with %s, to %s.", t.collection(x.Collection), guest, x.Rights)
}

// noun says what an item is.
func noun(k holdfast.Kind) string {
	one, _ := kindNouns(k)
	_, text, _ := strings.Cut(one, " ")
	return text
}

// quoted is what people call an item: its own name, as far as that is cheap to know, or its name here.
func quoted(l *core.Line) string {
	name := ""
	switch l.Kind {
	case holdfast.KindAddress:
		name = content.FirstValue(l.Text, "FN")
	case holdfast.KindEvent, holdfast.KindTodo, holdfast.KindJournal:
		name = content.FirstValue(l.Text, "SUMMARY")
	case holdfast.KindReference:
		if ref, err := holdfast.DecodeReference(l.Text); err == nil {
			name = ref.Name
		}
	case holdfast.KindCollection:
		name = l.Properties.Text("DAV:", "displayname")
		if name == "" && l.In != nil {
			name = collectionLabel(l.In)
		}
	}
	if name == "" {
		name = l.Name
	}
	return "“" + short(name) + "”"
}

// short cuts what is too long for a line.
func short(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// capital makes the first letter a large one.
func capital(s string) string {
	return strings.TrimSuffix(sentence(s), ".")
}
