package vault

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/place"
)

// survey is what is wrong in a vault, object by object. What a head names as released is passed over.
type survey struct {
	v        *Vault
	terms    map[uint64]Term
	released map[string]bool
	wrong    map[string]string // what is wrong with an object, by its name
	packs    []PackRef         // that are named and not replaced
	known    map[string]bool   // packs that a head ever named
	sealed   map[string]bool   // segments of which such packs were made
	newest   Head              // that can be read; its number is 0 where there is none
	top      uint64            // the highest number of a head, readable or not
	topTerm  uint64            // the highest number of a term that anything names
	erased   map[holdfast.ID]bool
	loose    map[string]bool   // heads that do not follow the one before: they are read all the same
	id       holdfast.ID       // of the vault, as its heads say
	tail     *gather           // the numbers of a term's batches
	covered  []BatchRange      // batches whose changes a repair has written again
	named    map[uint64]uint64 // by term: up to which batch heads say that it came

	hasKey func(*wrappedKey) // called with each key that is there; nil: nobody asks

	badPacks    []PackRef
	badSegments []segmentRef
	badKeys     []*wrappedKey
	orphans     []string // packs that no readable head names
}

// damaging tells errors that say that an object is damaged from those of the place, which say nothing of it.
func damaging(err error) bool {
	switch holdfast.KindOf(err) {
	case holdfast.Corrupt, holdfast.NotFound, holdfast.Unauthorized, holdfast.Invalid, holdfast.TooLarge:
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF)
}

// note remembers that an object is damaged. Other errors are returned.
func (s *survey) note(name string, err error) error {
	if err == nil || s.released[name] {
		return nil
	}
	if !damaging(err) {
		return err
	}
	if _, ok := s.wrong[name]; !ok {
		s.wrong[name] = wording(name, err)
	}
	return nil
}

// Survey reads every object of the vault by itself, as far as the server's key opens it, and returns what is damaged, or missing though another one names it. It says nothing of whether the histories are whole: [Reader] does.
func (v *Vault) Survey(ctx context.Context) ([]Damage, error) {
	s, err := v.survey(ctx)
	if err != nil {
		return nil, err
	}
	return s.damage(), nil
}

func (s *survey) damage() (out []Damage) {
	for _, name := range slices.Sorted(maps.Keys(s.wrong)) {
		out = append(out, Damage{s.v.meta.Name, name, s.wrong[name]})
	}
	return out
}

func (v *Vault) survey(ctx context.Context) (*survey, error) {
	s, err := v.spine(ctx)
	if err != nil {
		return nil, err
	}
	for _, look := range []func(context.Context) error{s.lookAtKeys, s.lookAtPacks, s.lookAtSegments, s.lookAtService} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// spine looks at what all else hangs on: the readme, vault.json, the terms and the heads.
func (v *Vault) spine(ctx context.Context) (*survey, error) {
	s := &survey{v: v, released: map[string]bool{}, wrong: map[string]string{}, loose: map[string]bool{}, known: map[string]bool{}, sealed: map[string]bool{}, named: map[uint64]uint64{}}
	var err error
	if s.terms, err = v.termsByNumber(ctx); err != nil {
		return nil, err
	}
	var bad error
	if s.erased, err = v.erasedBy(ctx, s.terms, func(name string, err error) { bad = errors.Join(bad, s.note(name, err)) }); err != nil || bad != nil {
		return nil, errors.Join(err, bad)
	}
	if err := s.lookAtHeads(ctx); err != nil {
		return nil, err
	}
	b, err := place.ReadAll(ctx, v.p, nameReadMe, maxSmall)
	if err == nil && !isReadMe(b) {
		err = fail("Survey", holdfast.Corrupt, nameReadMe, "it is not the text that it should be", nil)
	}
	if err := s.note(nameReadMe, err); err != nil {
		return nil, err
	}
	return s, errors.Join(s.note(nameMeta, s.meta(ctx)), s.lookAtTerms(ctx))
}

func (s *survey) meta(ctx context.Context) error {
	b, err := place.ReadAll(ctx, s.v.p, nameMeta, maxSmall)
	if err != nil {
		return err
	}
	m, err := parseMeta(b)
	if err == nil && !s.v.meta.Vault.IsZero() && m.Vault != s.v.meta.Vault {
		err = fail("Survey", holdfast.Corrupt, nameMeta, "it says that this is another vault", nil)
	}
	return err
}

// lookAtHeads reads the heads twice: what a later one releases is known before an earlier one is judged.
func (s *survey) lookAtHeads(ctx context.Context) error {
	bad := map[string]error{}
	j, link := s.v.judge(s.terms), links{}
	err := s.v.headsOf(ctx, j, 0, func(name string, h Head, sum holdfast.Hash, err error) error {
		s.top, _ = numberOf(name, dirHeads, "")
		if loose := link.follows(name, h, sum, err); loose != nil {
			s.loose[name], bad[name] = true, loose
		}
		if err != nil {
			bad[name] = err
			return nil
		}
		s.newest, s.topTerm = h, max(s.topTerm, h.Term)
		s.covered, s.named[h.Term] = append(s.covered, h.Covered...), max(s.named[h.Term], h.Position.Batch)
		for _, x := range h.Released {
			s.released[x] = true
		}
		for _, p := range h.Packs {
			s.known[p.Name] = true
			s.packs = slices.DeleteFunc(s.packs, func(o PackRef) bool { return slices.Contains(p.Replaces, o.Name) })
			s.packs = append(s.packs, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.id = j.id
	if err := s.note(nameMeta, j.meta()); err != nil {
		return err
	}
	for name, err := range bad {
		if err := s.note(name, err); err != nil {
			return err
		}
	}
	s.packs = slices.DeleteFunc(s.packs, func(p PackRef) bool { return s.released[p.Name] })
	for _, p := range s.packs {
		for _, x := range p.Segments {
			s.sealed[x] = true
		}
	}
	return nil
}

// lookAtTerms finds terms that are damaged or missing.
func (s *survey) lookAtTerms(ctx context.Context) error {
	there := map[uint64]bool{}
	var wanted []uint64
	err := s.v.p.List(ctx, "", "", func(i place.Info) error {
		n := uint64(0)
		if strings.HasPrefix(i.Name, dirTerms) {
			n, _ = numberOf(i.Name, dirTerms, "")
			there[n] = true
		} else if rest, ok := strings.CutPrefix(i.Name, dirTail); ok && len(rest) > 12 {
			n, _ = numberOf(rest[:12], "", "")
			there[n] = there[n] // named, if nothing else
		}
		s.topTerm = max(s.topTerm, n)
		return nil
	})
	if err != nil {
		return err
	}
	for n := range there { // anybody can write any number into a name
		if n > maxTerms {
			wanted = append(wanted, n)
		}
	}
	for n := uint64(1); n <= min(s.topTerm, maxTerms); n++ {
		wanted = append(wanted, n)
	}
	for _, n := range wanted {
		what := "the term is missing"
		if there[n] {
			what = "the term cannot be read"
		}
		t, ok := s.terms[n]
		if t.foreign {
			what = "its signer is not the store's"
		}
		if !ok || t.foreign {
			if err := s.note(TermName(n), fail("Survey", holdfast.Corrupt, TermName(n), what, nil)); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookAtKeys opens every key object. One that cannot be opened is no damage where a later version of the key can: it is in nobody's way, and need not be removable. The key is bad all the same: a repair removes what it can.
func (s *survey) lookAtKeys(ctx context.Context) error {
	w := &rewrapper{v: s.v}
	return w.each(ctx, func(ctx context.Context, k *wrappedKey) error {
		if k.of == "segment" && s.released[k.name] || k.of == "account" && s.erased[k.account] {
			return nil
		}
		if s.hasKey != nil {
			s.hasKey(k)
		}
		bad, opened := false, false
		for _, name := range slices.Backward(k.objects) {
			_, _, err := s.v.readKey(ctx, name, k.of, k.name)
			if holdfast.IsKind(err, holdfast.NotFound) { // it went meanwhile
				continue
			}
			bad = bad || err != nil
			if opened && err != nil && damaging(err) {
				continue
			}
			opened = opened || err == nil
			if err := s.note(name, err); err != nil {
				return err
			}
		}
		if bad {
			s.badKeys = append(s.badKeys, k)
		}
		return nil
	})
}

// lookAtPacks reads the packs that are named, each member with the account's key as the vault has it, and finds those that are there and not named.
func (s *survey) lookAtPacks(ctx context.Context) error {
	for _, p := range s.packs {
		bad := false
		hurt := func(name string, err error) error {
			bad = bad || err != nil
			return s.note(name, err)
		}
		err := s.v.readPack(ctx, p, func(m Member, sealed []byte) error {
			if s.erased[m.Account] { // nobody can open it any more
				return nil
			}
			s.v.forget(m.Account)
			_, err := s.v.openMember(ctx, m, sealed)
			return hurt(p.Name+packSuffix, err)
		})
		if err := hurt(refOf(err, p.Name+packSuffix), err); err != nil {
			return err
		}
		if bad {
			s.badPacks = append(s.badPacks, p)
		}
	}
	return s.v.p.List(ctx, dirPages, "", func(i place.Info) error {
		name, ok := strings.CutSuffix(i.Name, indexSuffix)
		if ok && !s.known[name] && !s.released[name] {
			s.orphans = append(s.orphans, name)
		}
		return nil
	})
}

// refOf returns the object that an error names; other where it names none in the vault.
func refOf(err error, other string) string {
	var e *holdfast.Error
	if errors.As(err, &e) && (strings.HasPrefix(e.Ref, dirPages) || strings.HasPrefix(e.Ref, dirTail)) {
		return e.Ref
	}
	return other
}

// lookAtSegments reads the segments, those of which packs were made too: they are what a store that was put back is brought up from.
func (s *survey) lookAtSegments(ctx context.Context) error {
	var list []segmentRef
	if err := s.v.eachSegment(ctx, func(x segmentRef) error { list = append(list, x); return nil }); err != nil {
		return err
	}
	for i, x := range list {
		name := SegmentName(x.term, x.n)
		if s.released[name] {
			continue
		}
		if s.tail == nil || s.tail.term != x.term {
			s.tail = newGather(x.term)
		}
		s.tail.segment = name
		last, torn, err := s.segment(ctx, name, x)
		if (err == nil && torn > 0 || unread(err)) && i+1 < len(list) && list[i+1].term == x.term {
			// A torn end is what an append that failed leaves; its batches stand again in the next segment.
			next := list[i+1]
			first, ferr := s.v.begins(ctx, SegmentName(next.term, next.n))
			switch {
			case ferr != nil || first == 0:
			case first <= last+1:
				err = nil
			case err == nil && last > 0:
				err = fail("Survey", holdfast.Corrupt, name, "its end cannot be read, and no other segment holds it", nil)
			}
		}
		if err != nil && damaging(err) {
			s.badSegments = append(s.badSegments, x)
		}
		if err := s.note(name, err); err != nil {
			return err
		}
		for _, side := range s.tail.sides { // nothing is written anew of it: which of the two is right only a restore beside shows
			if err := s.note(side.segment, s.tail.forked(side, nil)); err != nil {
				return err
			}
		}
	}
	return nil
}

// segment reads one segment, and returns its last batch before what is torn, and how many octets at its end are no frame.
func (s *survey) segment(ctx context.Context, name string, x segmentRef) (last uint64, torn int64, err error) {
	if x.size == 0 {
		return 0, 0, nil
	}
	var frames []foundFrame
	torn, err = s.v.walk(ctx, name, func(f foundFrame) error { frames = append(frames, f); return nil })
	if err != nil || len(frames) == 0 {
		return 0, torn, err
	}
	if first := frames[0].First; first > 0 {
		last = first - 1
	}
	key, err := s.v.segmentKey(ctx, x.term, x.n)
	if err != nil {
		return last, torn, err
	}
	var bad error
	for _, f := range frames {
		err := s.v.batches(ctx, name, f, key, func(line journal.BatchLine, changes []holdfast.Change) error {
			if err := chain(line, changes); err != nil {
				return err
			}
			s.tail.add(line, nil, nil)
			return nil
		})
		switch {
		case unread(err) && f.broken: // an append that was interrupted
		case unread(err), errors.Is(err, errLine):
			bad = firstErr(bad, err)
		case err != nil:
			return last, torn, err
		case bad == nil:
			last = f.Last
		}
	}
	return last, torn, bad
}

// lookAtService looks whether what the store keeps of itself can be read.
func (s *survey) lookAtService(ctx context.Context) error {
	var any json.RawMessage
	n, err := s.v.service(ctx, &any)
	if n == 0 && holdfast.IsKind(err, holdfast.NotFound) {
		return nil // nothing was kept yet
	}
	return s.note(dirService+number(n), err)
}
