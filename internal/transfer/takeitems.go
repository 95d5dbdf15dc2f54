package transfer

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davclient"
	"holdfast/internal/ical"
	"holdfast/internal/vcard"
)

// collection takes over one collection.
func (t *takeover) collection(ctx context.Context, j *job) error {
	members, err := t.client.List(ctx, &j.remote)
	if err != nil {
		return err
	}
	j.tags = tagsOf(members)
	j.report.Listed = len(members)
	return t.members(ctx, j, members)
}

func tagsOf(members []davclient.Member) map[string]string {
	out := make(map[string]string, len(members))
	for _, m := range members {
		out[m.Name] = m.ETag
	}
	return out
}

// members takes over members of a collection, those apart that are here unchanged.
func (t *takeover) members(ctx context.Context, j *job, members []davclient.Member) error {
	here, err := t.local(ctx, j.target.c.ID)
	if err != nil {
		return err
	}
	var rest []davclient.Member
	for _, m := range members {
		if !t.known(j, &m, here) {
			rest = append(rest, m)
		}
	}
	if err := t.progress(); err != nil {
		return err
	}
	f := t.client.Fetcher(&j.remote)
	for batch := range slices.Chunk(rest, davclient.Batch) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := t.batch(ctx, j, f, batch); err != nil {
			return err
		}
		if err := t.progress(); err != nil {
			return err
		}
	}
	return nil
}

// local lists the ETags of what is in a collection here, by name.
func (t *takeover) local(ctx context.Context, id holdfast.ID) (map[string]holdfast.Hash, error) {
	out := map[string]holdfast.Hash{}
	if id.IsZero() {
		return out, nil
	}
	err := t.s.Read(ctx, t.p, t.q.Account, func(r *core.Reader) error {
		return r.List(id, "", 0, 0, func(m *holdfast.Resource) error { out[m.Name] = m.ETag; return nil })
	})
	return out, err
}

// known tells whether a member need not be asked for: it was taken over and has not changed over there.
func (t *takeover) known(j *job, m *davclient.Member, here map[string]holdfast.Hash) bool {
	was, ok := t.notes.get(j.remote.Path(), m.Name)
	if !ok || m.ETag == "" || was.Tag != m.ETag || was.Collection != j.target.c.ID {
		return false
	}
	now, there := here[was.Name]
	if !there || now != was.Sum && t.q.Replace {
		return false
	}
	x := taken{collection: was.Collection, name: was.Name, sum: was.Sum, kept: now != was.Sum}
	x.count = &j.report.Already
	if x.kept {
		x.count = &j.report.Kept
	}
	*x.count++
	j.report.Accepted++
	j.taken[m.Name] = x
	return true
}

// arrived is a member on its way into the store.
type arrived struct {
	item   davclient.Item
	stored core.Item
	uid    string
	kind   string // that it turned out to be, where it had to be looked at
	what   string // how it was mended
	more   bool   // one of several that its octets held
}

// batch fetches some members and stores them: as they are, and those that are not taken so once more, mended.
func (t *takeover) batch(ctx context.Context, j *job, f *davclient.Fetcher, members []davclient.Member) error {
	var all []arrived
	octets := 0
	flush := func() error {
		err := t.store(ctx, j, all)
		all, octets = all[:0], 0
		return err
	}
	err := f.Fetch(ctx, members, func(x *davclient.Item) error {
		j.report.Fetched++
		switch {
		case holdfast.IsKind(x.Err, holdfast.NotFound): // gone since it was listed
			delete(j.tags, x.Name)
			return nil
		case x.Err != nil:
			return t.refuse(j, &arrived{item: *x}, x.Err)
		}
		t.totals.Octets += int64(len(x.Body))
		a := arrived{item: *x, stored: core.Item{Name: x.Name, ContentType: typeOf(j), Body: x.Body}}
		a.stored.Name, a.stored.Other = t.names(j, x.Name)
		if was, ok := t.notes.get(j.remote.Path(), x.Name); ok && was.Collection == j.target.c.ID {
			a.stored.Instead = was.Sum
		}
		all = append(all, a)
		if octets += len(x.Body); octets < groupOctets {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func typeOf(j *job) string {
	if j.remote.Kind == davclient.Addressbook {
		return vcardType
	}
	return calendarType
}

// names are where a member goes: under its own name, if that can be one here.
func (t *takeover) names(j *job, name string) (string, string) {
	sum := holdfast.HashOf([]byte(name)).String()
	ext := path.Ext(name)
	if holdfast.CheckName(ext) != nil || len(ext) > 10 {
		ext = ""
	}
	if holdfast.CheckName(name) != nil {
		return sum[:32] + ext, sum + ext
	}
	stem := strings.TrimSuffix(name, ext)
	return name, stem[:min(len(stem), maxUIDName)] + "-" + sum[:8] + ext
}

// store puts what has arrived into the account.
func (t *takeover) store(ctx context.Context, j *job, all []arrived) error {
	again, err := t.put(ctx, j, j.target, all, false)
	if err != nil || len(again) == 0 {
		return err
	}
	byTarget := map[*target][]arrived{}
	for i := range again {
		if err := t.repair(ctx, j, &again[i], byTarget); err != nil {
			return err
		}
	}
	for to, list := range byTarget {
		for part := range slices.Chunk(list, holdfast.MaxGroup) {
			if _, err := t.put(ctx, j, to, part, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// put stores items in one collection and notes what became of them. Those whose octets are not taken as they are come back, unless this is the last try.
func (t *takeover) put(ctx context.Context, j *job, to *target, all []arrived, last bool) (again []arrived, err error) {
	results, err := t.commit(ctx, to, all)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		a := &all[i]
		if r.Outcome == core.Refused && !last && repairable(r.Err) {
			again = append(again, *a)
			continue
		}
		if err := t.outcome(j, to, a, r); err != nil {
			return nil, err
		}
	}
	return again, t.notes.flush()
}

func (t *takeover) commit(ctx context.Context, to *target, all []arrived) ([]core.ItemResult, error) {
	if len(all) == 0 {
		return nil, nil
	}
	if to.c.ID.IsZero() { // a dry run, and the collection would be made
		var out []core.ItemResult
		for _, a := range all {
			r := core.ItemResult{Outcome: core.Created, Name: a.stored.Name}
			if err := t.s.Judge(&to.c, a.stored); err != nil {
				r.Outcome, r.Err = core.Refused, err
			}
			out = append(out, r)
		}
		return out, nil
	}
	q := core.PutManyRequest{Owner: t.q.Account, Collection: to.c.ID, Replace: t.q.Replace, DryRun: t.q.DryRun}
	for _, a := range all {
		q.Items = append(q.Items, a.stored)
	}
	return t.s.PutMany(ctx, t.p, q)
}

// repairable tells whether an item was refused for its octets.
func repairable(err error) bool {
	if k := holdfast.KindOf(err); k != holdfast.Invalid && k != holdfast.Forbidden {
		return false
	}
	precondition, _ := whyNot(err, false)
	return precondition != "max-resource-size"
}

// outcome counts what became of one item.
func (t *takeover) outcome(j *job, to *target, a *arrived, r core.ItemResult) error {
	x := taken{collection: to.c.ID, name: r.Name, sum: holdfast.HashOf(a.stored.Body)}
	switch r.Outcome {
	case core.Created:
		x.count = &j.report.Created
	case core.Same:
		x.count = &j.report.Already
	case core.Replaced:
		x.count = &j.report.Replaced
	default:
		return t.refuse(j, a, r.Err)
	}
	*x.count++
	j.report.Accepted++
	name := a.item.Name
	if a.more {
		name += "\x00" + r.Name
	}
	j.taken[name] = x
	if a.item.ETag != "" && !a.more && to == j.target && !t.q.DryRun {
		t.notes.put(j.remote.Path(), name, remembered{Tag: a.item.ETag, Collection: x.collection, Name: x.name, Sum: x.sum})
	}
	if r.Outcome == core.Created && !a.more && r.Name != a.item.Name {
		if err := t.note(fileOf(j, a), "the name is taken here, or cannot be one; the item is called "+r.Name); err != nil {
			return err
		}
	}
	if a.what == "" {
		return nil
	}
	j.report.Mended++
	return t.emit(TakeoverEvent{Mended: &Mended{File: fileOf(j, a), Kind: word(a.kind), UID: a.uid, What: a.what}})
}

// fileOf names an item of the other server.
func fileOf(j *job, a *arrived) string { return path.Join(j.remote.Path(), a.item.Name) }

func (t *takeover) refuse(j *job, a *arrived, err error) error {
	key := a.item.Name + "\x00" + a.uid
	if j.bad[key] { // in an earlier round
		return nil
	}
	j.bad[key] = true
	j.report.Refused++
	out := RefusedOne{File: fileOf(j, a), UID: a.uid}
	if a.kind != "" {
		out.Kind = word(a.kind)
	}
	out.Precondition, out.Why = whyNot(err, j.remote.Kind == davclient.Addressbook)
	if holdfast.IsKind(err, holdfast.UIDConflict) && !t.q.Replace {
		out.Why += replaceInstead
	}
	return t.emit(TakeoverEvent{Refused: &out})
}

// repair mends an item that was not taken as it is, and says where what comes of it goes.
func (t *takeover) repair(ctx context.Context, j *job, a *arrived, into map[*target][]arrived) error {
	if j.remote.Kind == davclient.Addressbook {
		octets, mends, refusal := vcard.Mend(a.item.Body)
		if refusal != nil {
			return t.refuse(j, a, refusalError(refusal))
		}
		a.stored.Body, a.kind, a.what = octets, kindCard, strings.Join(mends, "; ")
		into[j.target] = append(into[j.target], *a)
		return nil
	}
	if _, index, refusal := ical.Judge(a.item.Body, ical.Limits{}); refusal == nil && !takes(&j.target.c, index.Kind) { // nothing else is wrong with it
		return t.place(ctx, j, *a, ical.Mended{Octets: a.item.Body}, into)
	}
	objects, notes, err := t.cut(j, a)
	if err != nil {
		return err
	}
	for i, x := range objects {
		b := *a
		b.more = i > 0
		if len(objects) > 1 {
			notes = []string{fmt.Sprintf("it held %d items, which were separated", len(objects))}
		}
		x.Mends = append(x.Mends[:len(x.Mends):len(x.Mends)], notes...)
		if err := t.place(ctx, j, b, x, into); err != nil {
			return err
		}
	}
	return nil
}

// cut makes objects of an item's octets, each mended. notes say what they do not carry any more. What cannot be mended is refused.
func (t *takeover) cut(j *job, a *arrived) (objects []ical.Mended, notes []string, err error) {
	for piece, err := range ical.Split(bytes.NewReader(a.item.Body), ical.SplitLimits{Object: int(t.s.Limits().Resource)}) {
		switch {
		case err != nil:
			return nil, nil, err
		case piece.Kind == ical.NotePiece:
			notes = append(notes, piece.Why)
			continue
		case piece.Kind == ical.JunkPiece:
			if err := t.refuse(j, a, &holdfast.Error{Kind: holdfast.Invalid, Rule: string(ical.SupportedCalendarData), Text: piece.Why}); err != nil {
				return nil, nil, err
			}
			continue
		}
		list, refusal := mendObject(piece.Octets, piece.Zone)
		if refusal != nil {
			if err := t.refuse(j, a, refusalOf(refusal)); err != nil {
				return nil, nil, err
			}
		}
		objects = append(objects, list...)
	}
	return objects, notes, nil
}

// place says where one of the objects that an item became goes.
func (t *takeover) place(ctx context.Context, j *job, a arrived, x ical.Mended, into map[*target][]arrived) error {
	_, index, refusal := ical.Judge(x.Octets, ical.Limits{})
	if refusal != nil {
		return t.refuse(j, &a, refusalOf(refusal))
	}
	a.uid, a.kind, a.stored.Body = index.UID, index.Kind, x.Octets
	if a.more {
		a.stored.Name, a.stored.Other = nameOf(index.UID, ".ics")
		a.stored.Instead = holdfast.Hash{}
	}
	to := j.target
	if !takes(&to.c, index.Kind) {
		var err error
		if to, err = t.elsewhere(ctx, j, index.Kind); err != nil {
			if holdfast.IsKind(err, holdfast.Invalid) {
				return t.refuse(j, &a, err)
			}
			return err
		}
		a.stored.Instead = holdfast.Hash{}
		x.Mends = append(x.Mends, fmt.Sprintf("it went into %s, because %s takes no %s", to.path, j.target.path, plural(2, index.Kind)))
	}
	a.what = strings.Join(x.Mends, "; ")
	into[to] = append(into[to], a)
	return nil
}

// elsewhere is where items of a kind go that their calendar does not take.
func (t *takeover) elsewhere(ctx context.Context, j *job, kind string) (*target, error) {
	if to := j.others[kind]; to != nil {
		return to, nil
	}
	c, at, made, err := t.homes.forKind(ctx, kind)
	if err != nil {
		return nil, err
	}
	to := newTarget(at, c)
	to.made = made
	j.others[kind] = to
	return to, nil
}
