package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// all asks a read for everything.
const all = store.WithBody | store.WithProps | store.WithType

// The functions of this file turn what an engine says into lines: equal lines are equal answers, and a difference can be read.

// stamp prints a time to the microsecond; its zone must be UTC.
func stamp(t time.Time) string {
	if _, offset := t.Zone(); offset != 0 || t.Nanosecond()%1000 != 0 {
		return "not UTC to the microsecond: " + t.String()
	}
	return t.Format("2006-01-02T15:04:05.000000Z")
}

func short(id fmt.Stringer) string { return id.String()[:8] }

func textBody(body []byte, blob *holdfast.Blob, pruned bool) string {
	if pruned {
		return fmt.Sprintf("pruned %d", len(body))
	}
	if blob != nil {
		return fmt.Sprintf("blob %s %d", short(blob.Hash), blob.Size)
	}
	return fmt.Sprintf("%d octets %s", len(body), short(holdfast.HashOf(body)))
}

func textProps(ps holdfast.Properties) string { return short(holdfast.HashOf(ps.Encode())) }

// textResource tells all of a resource but, with past set, what no engine can know of an earlier version: UID and times are not journaled.
func textResource(r *holdfast.Resource, f store.Fields, past bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%q kind=%d state=%d etag=%s size=%d seq=%d item=%d made=%s modified=%s props=%s of=%s", short(r.Collection), r.Name, r.Kind, r.State,
		short(r.ETag), r.Size, r.Seq, r.Item, stamp(r.Made), stamp(r.Modified), short(r.PropsHash), short(r.Account))
	if !past {
		fmt.Fprintf(&b, " uid=%q times=%v", r.UID, r.Times)
	}
	if f&store.WithType != 0 {
		fmt.Fprintf(&b, " type=%q device=%s", r.ContentType, short(r.Device))
	}
	if f&store.WithProps != 0 {
		b.WriteString(" props=" + textProps(r.Properties))
	}
	if f&store.WithBody != 0 {
		b.WriteString(" body=" + textBody(r.Body, r.Blob, r.Pruned))
	}
	return b.String()
}

// textChange tells all of a change that is journaled.
func textChange(c *holdfast.Change, f store.Fields) string {
	var b strings.Builder
	fmt.Fprintf(&b, "change %d.%d of %s id=%s op=%d kind=%d %s/%q type=%q actor=%s/%s at=%s more=%d etag=%s size=%d props=%s hash=%s prev=%d item=%d chain=%s",
		c.Epoch, c.Seq, short(c.Account), short(c.ID), c.Op, c.Kind, short(c.Collection), c.Name, c.ContentType, short(c.Actor.Account), short(c.Actor.Device),
		stamp(c.At), c.More, short(c.ETag), c.Size, short(c.PropsHash), short(c.Hash), c.Prev, c.Item, short(c.Chain))
	if f&store.WithProps != 0 {
		b.WriteString(" props=" + textProps(c.Properties))
	}
	if f&store.WithBody != 0 {
		b.WriteString(" body=" + textBody(c.Body, c.Blob, c.Pruned))
	}
	return b.String()
}

func textCollection(c holdfast.Collection) string {
	return fmt.Sprintf("collection %s of %s in %s name=%q type=%s components=%v gone=%t %d.%d chain=%s items=%d octets=%d made=%s modified=%s props=%s",
		short(c.ID), short(c.Account), short(c.Parent), c.Name, c.Type, c.Components, c.Gone, c.Epoch, c.Seq, short(c.Chain), c.Items, c.Octets,
		stamp(c.Made), stamp(c.Modified), textProps(c.Properties))
}

func textAccount(a holdfast.Account) string {
	return fmt.Sprintf("account %s %q state=%s created=%s password=%q %d.%d", short(a.ID), a.Email, a.State, stamp(a.Created), a.Password, a.Epoch, a.Seq)
}

func textDigest(d holdfast.Digest) string {
	return fmt.Sprintf("digest %d.%d chain=%s state=%s", d.Epoch, d.Seq, short(d.Chain), short(d.State))
}

func textSighting(s holdfast.Sighting) string {
	return fmt.Sprintf("sighting %s/%s by %s %d.%d chain=%s full=%t at=%s", short(s.Account), short(s.Collection), short(s.Device), s.Epoch, s.Seq,
		short(s.Chain), s.Full, stamp(s.At))
}

// textError tells what callers may rely on.
func textError(err error) string {
	if err == nil {
		return ""
	}
	return "error " + holdfast.KindOf(err).String()
}

// outcome is the answer to a commit, as far as callers may rely on it.
func outcome(r holdfast.Receipt, err error) string {
	if err == nil {
		type plain holdfast.Receipt // without its method String, which leaves fields out
		r.Batch = 0                 // engines cut the stream into batches as they like
		return fmt.Sprintf("%+v", plain(r))
	}
	text := textError(err)
	if k := holdfast.KindOf(err); k == holdfast.UIDConflict || k == holdfast.Exists {
		text += " " + refOf(err)
	}
	var e *holdfast.Error
	if errors.As(err, &e) && e.Rule != "" {
		text += " " + e.Rule
	}
	return text
}

func refOf(err error) string {
	var e *holdfast.Error
	if errors.As(err, &e) {
		return e.Ref
	}
	return ""
}

// about names a group in messages.
func about(g *holdfast.Group) string {
	var parts []string
	for i, e := range g.Entries {
		if i == 4 {
			parts = append(parts, fmt.Sprintf("and %d more", len(g.Entries)-i))
			break
		}
		op := map[holdfast.Op]string{holdfast.OpPut: "put", holdfast.OpDelete: "delete"}[e.Op]
		text := fmt.Sprintf("%s %s/%q", op, short(e.Collection), e.Name)
		if e.Kind == holdfast.KindCollection && e.Op == holdfast.OpPut {
			text += " " + string(e.Body)
		}
		if !e.If.IsZero() {
			text += fmt.Sprintf(" if %+v", e.If)
		}
		parts = append(parts, text)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// difference shows the lines that are in one list only.
func difference(got, want []string) string {
	var b strings.Builder
	shown := 0
	show := func(sign string, a, other []string) {
		for _, line := range a {
			if !slices.Contains(other, line) && shown < 12 {
				b.WriteString(sign + line + "\n")
				shown++
			}
		}
	}
	show("  have: ", got, want)
	shown = 0
	show("  want: ", want, got)
	if b.Len() == 0 {
		return "  the same lines in another order or number"
	}
	return b.String()
}

// cloneEntry returns a copy that shares no octets: those that a callback is given are the engine's.
func cloneEntry(e holdfast.Entry) holdfast.Entry {
	e.Body, e.PropsRaw = bytes.Clone(e.Body), bytes.Clone(e.PropsRaw)
	ps := slices.Clone(e.Properties)
	for i := range ps {
		ps[i].XML = bytes.Clone(ps[i].XML)
	}
	e.Properties = ps
	if e.Blob != nil {
		b := *e.Blob
		e.Blob = &b
	}
	return e
}

// dump returns everything that a snapshot shows, as lines.
func dump(t testing.TB, s store.Snapshot) []string {
	t.Helper()
	lines, err := everything(s)
	if err != nil {
		t.Fatalf("reading everything: %v", err)
	}
	return lines
}

// everything returns all accounts that a snapshot shows, whole.
func everything(s store.Snapshot) (lines []string, err error) {
	accounts, err := s.Accounts(holdfast.ID{}, 0)
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	for _, a := range accounts {
		lines = append(lines, textAccount(a))
		part, err := wholeAccount(s, a.ID)
		if err != nil {
			return nil, err
		}
		lines = append(lines, part...)
	}
	return lines, nil
}

// wholeAccount returns an account: its digest, its changes, its collections with their members.
func wholeAccount(s store.Snapshot, id holdfast.ID) (lines []string, err error) {
	d, err := s.Digest(id, 0)
	if err != nil {
		return nil, fmt.Errorf("digest: %w", err)
	}
	lines = append(lines, textDigest(d))
	if err := s.Changes(id, 0, 0, all, func(c *holdfast.Change) error { lines = append(lines, textChange(c, all)); return nil }); err != nil {
		return nil, fmt.Errorf("changes: %w", err)
	}
	cs, err := s.Collections(id)
	if err != nil {
		return nil, fmt.Errorf("collections: %w", err)
	}
	for _, c := range cs {
		lines = append(lines, textCollection(c))
		if _, err := s.ChangesSince(c.ID, 0, 0, all, func(r *holdfast.Resource) error { lines = append(lines, textResource(r, all, false)); return nil }); err != nil {
			return nil, fmt.Errorf("changes since 0: %w", err)
		}
	}
	return lines, nil
}

// sameDigests compares the digests of all accounts of two engines.
func sameDigests(t testing.TB, got, want store.Engine) {
	t.Helper()
	digests := func(e store.Engine) (lines []string) {
		s, err := e.Snapshot(t.Context())
		if err != nil {
			t.Fatalf("snapshot: %v", err)
		}
		defer s.Close()
		accounts, err := s.Accounts(holdfast.ID{}, 0)
		if err != nil {
			t.Fatalf("accounts: %v", err)
		}
		for _, a := range accounts {
			d, err := s.Digest(a.ID, 0)
			if err != nil {
				t.Fatalf("digest: %v", err)
			}
			lines = append(lines, textAccount(a)+" "+textDigest(d))
		}
		return lines
	}
	if g, w := digests(got), digests(want); !slices.Equal(g, w) {
		t.Errorf("digests differ from the model's:\n%s", difference(g, w))
	}
}
