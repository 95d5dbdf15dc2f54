package vault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/place"
)

// What is missing of an account is known from its later changes and from heads. Where neither tells, because the newest of an account was what was damaged, a reader knows that something is missing, and not whose. It must not say then
// that nothing is: it is unsure, unless another vault of the same store has what it may be.

// standing is what one vault was found to hold of its store's stream.
type standing struct {
	vault  *Vault
	term   uint64
	store  holdfast.ID // which has the right to write
	end    uint64      // the newest batch that anything in it names
	have   []BatchRange
	doubts []doubt
}

// doubt is what a vault may have held. A range without an end goes on as far as anybody knows; a zero one may be anything.
type doubt struct {
	BatchRange
	what string
}

func (s *standing) doubt(at BatchRange, format string, args ...any) {
	s.doubts = append(s.doubts, doubt{at, fmt.Sprintf(format, args...)})
}

// stand notes what a vault was found to hold, and doubts it where what says how far it came is damaged.
func (r *Reader) stand(v *Vault, c *coverage, terms map[uint64]Term) *standing {
	s := &standing{vault: v, have: c.have}
	if len(terms) > 0 {
		s.term = slices.Max(slices.Collect(maps.Keys(terms)))
		s.store, s.end = terms[s.term].Store, max(terms[s.term].Base.Batch, c.named[s.term])
	}
	for _, h := range c.have {
		if h.Term == s.term || len(c.badTerms) > 0 {
			s.end = max(s.end, h.To)
		}
	}
	if len(c.badTerms) > 0 {
		s.doubt(BatchRange{}, "%s cannot be read or believed, and what was sealed and which histories were given up hangs on it", c.badTerms[0])
	}
	if c.badHead {
		s.doubt(BatchRange{}, "the newest head cannot be read, which says how far accounts had come")
	}
	for _, name := range slices.Compact(c.blind) {
		s.doubt(BatchRange{}, "%s cannot be read", name)
	}
	if c.unknown && c.hurt {
		s.doubt(BatchRange{}, "some packs do not say which batches they hold, and something is damaged")
	}
	r.stands = append(r.stands, s)
	return s
}

// fills tells whether what another vault was in doubt about is here.
func (s *standing) fills(o *standing, d doubt) bool {
	if s == o || s.store.IsZero() || s.store != o.store && d.To+d.From > 0 {
		return false
	}
	if d.From > 0 && d.To > 0 { // terms are numbered by each vault for itself, batches by the store
		return slices.ContainsFunc(s.have, func(h BatchRange) bool { return h.From <= d.From && d.To <= h.To })
	}
	return len(s.doubts) == 0 && s.end >= max(o.end, d.From)
}

// Unsure says why what the losses name may not be all that is missing: what a vault held of accounts that nothing else names is gone. It is empty where every loss is known.
func (r *Reader) Unsure() (out []string) {
	for _, s := range r.stands {
		for _, d := range s.doubts {
			if !slices.ContainsFunc(r.stands, func(o *standing) bool { return o.fills(s, d) }) {
				out = append(out, fmt.Sprintf("vault %s: %s", s.vault.meta.Name, d.what))
			}
		}
	}
	return out
}

// newestIsBad tells whether the newest head of a vault is among what could not be read.
func (r *Reader) newestIsBad(ctx context.Context, v *Vault, since int) bool {
	last, ok, err := place.Last(ctx, v.p, dirHeads)
	if err != nil || !ok {
		return err != nil
	}
	return slices.ContainsFunc(r.damage[since:], func(d Damage) bool { return d.Object == last.Name && strings.HasPrefix(d.Object, dirHeads) })
}
