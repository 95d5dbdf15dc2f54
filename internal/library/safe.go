package library

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"

	"zombiezen.com/go/sqlite"
)

// Copy is a copy of an account's data: the store itself, or a vault.
type Copy struct {
	Name   string // as people know it
	Domain string // what it ends with
	// Apart: it does not end with what the store ends with.
	Apart  bool
	Engine bool   // it is the store
	Counts bool   // it has octets, everything by now or a moment ago, and takes changes
	Batch  uint64 // the newest that it has
	// Checks are the readings and drills of it that found nothing wrong.
	Checks  []Check
	Damaged bool // something in it is known to be damaged, or a drill of it failed since
}

// Check is a reading or a drill of a copy that found nothing wrong.
type Check struct {
	On    time.Time // when it ended
	By    string    // "reading", "drill"
	Batch uint64    // everything that was stored up to this one was looked at …
	// Covers tells whether these octets were: of large files a drill reads a part. nil: all were.
	Covers func(holdfast.Hash) bool
}

// Held is one copy of one photo.
type Held struct {
	Copy     string     `json:"copy"`
	Domain   string     `json:"domain"`
	Apart    bool       `json:"apart"` // it does not end with the store
	Holds    bool       `json:"holds"`
	Verified *time.Time `json:"verified"`     // since the photo was stored; null: it was not
	By       string     `json:"by,omitempty"` // reading, drill
	Damaged  bool       `json:"damaged,omitempty"`
}

// Verdict says whether a photo may be removed from a device: of its octets there is a copy that does not end with the store, and that was verified since they were stored.
type Verdict struct {
	Safe   bool   `json:"safe"`
	Why    string `json:"why"`
	Copies []Held `json:"copies"`
}

// standing is how far an account's copies are.
type standing struct {
	copies []reach
	known  bool
}

// reach is how far one copy is with an account.
type reach struct {
	Copy
	has    uint64   // the newest change that it has
	proven []uint64 // of each check, the newest change that it looked at
}

// standingOf finds out how far an account's copies are.
func (l *Library) standingOf(ctx context.Context, p holdfast.Principal, owner holdfast.ID) (st standing, err error) {
	if l.o.Copies == nil {
		return st, nil
	}
	copies, err := l.o.Copies(ctx, owner)
	if err != nil {
		return st, err
	}
	st.known = true
	err = l.o.Core.Read(ctx, p, owner, func(r *core.Reader) error {
		head, err := r.Head()
		if err != nil {
			return err
		}
		for _, c := range copies {
			x := reach{Copy: c}
			if c.Engine {
				x.has = head.Seq
			} else if x.has, err = seqBy(r, head.Seq, c.Batch); err != nil {
				return err
			}
			for _, check := range c.Checks {
				upTo, err := seqBy(r, head.Seq, check.Batch)
				if err != nil {
					return err
				}
				x.proven = append(x.proven, min(upTo, x.has))
			}
			st.copies = append(st.copies, x)
		}
		return nil
	})
	return st, err
}

// seqBy returns the newest change of an account that a batch, or one before it, has: the batches of its changes ascend.
func seqBy(r *core.Reader, head, batch uint64) (uint64, error) {
	var fault error
	n := sort.Search(int(head), func(i int) bool { // the first change above the batch
		at, err := r.ChainAt(uint64(i + 1))
		if err != nil && fault == nil {
			fault = err
		}
		return at.Batch > batch
	})
	return uint64(n), fault
}

// judge says whether octets are safe that were stored with a change.
func (st *standing) judge(seq uint64, octets holdfast.Hash) (v Verdict) {
	v.Copies = []Held{}
	var apart, lagging, unread, damaged, safe []string
	var newest time.Time
	places, domains := 0, map[string]bool{}
	for i := range st.copies {
		c := &st.copies[i]
		h := Held{Copy: c.Name, Domain: c.Domain, Apart: c.Apart, Holds: c.Counts && c.has >= seq, Damaged: c.Damaged}
		if h.Holds && !c.Engine {
			h.verify(c, seq, octets)
		}
		v.Copies = append(v.Copies, h)
		if h.Holds {
			places++
			domains[c.Domain] = true
		}
		if c.Engine || !c.Apart {
			continue
		}
		apart = append(apart, c.Name)
		switch {
		case !h.Holds:
			lagging = append(lagging, c.Name)
		case h.Damaged:
			damaged = append(damaged, c.Name)
		case h.Verified == nil:
			unread = append(unread, c.Name)
		default:
			if safe = append(safe, c.Name); h.Verified.After(newest) {
				newest = *h.Verified
			}
		}
	}
	switch names := func(list []string) string { return strings.Join(list, ", ") }; {
	case !st.known:
		v.Why = "how its copies fare is not known here"
	case len(safe) > 0:
		v.Safe, v.Why = true, fmt.Sprintf("%d copies in %d failure domains; in %s it was last verified on %s", places, len(domains), names(safe), newest.UTC().Format("2 Jan 2006 15:04 UTC"))
	case len(apart) == 0:
		v.Why = "there is no copy that would outlive this server's disk"
	case len(unread) > 0:
		v.Why = "it is in " + names(unread) + ", and was not verified there since it was stored"
	case len(damaged) > 0:
		v.Why = names(damaged) + " is damaged, and is to be repaired first"
	default:
		v.Why = names(lagging) + " does not have it yet, or cannot be reached"
	}
	return v
}

// verify notes when a copy was last verified since octets were stored with a change.
func (h *Held) verify(c *reach, seq uint64, octets holdfast.Hash) {
	for i := range c.Checks {
		x := &c.Checks[i]
		if c.proven[i] >= seq && (x.Covers == nil || x.Covers(octets)) && (h.Verified == nil || x.On.After(*h.Verified)) {
			on := x.On.UTC()
			h.Verified, h.By = &on, x.By
		}
	}
}

// of judges a photo with all that belongs to it.
func (st *standing) of(x *Photo) Verdict {
	if x.State == Broken {
		return Verdict{Why: "its octets are damaged or lost here; keep your copy", Copies: []Held{}}
	}
	v := st.judge(x.seq, x.Hash)
	if m := x.Motion; m != nil && v.Safe {
		if film := st.judge(m.seq, m.Hash); !film.Safe {
			film.Why = "its film: " + film.Why
			return film
		}
	}
	return v
}

// Judged is a photo with whether it is safe.
type Judged struct {
	Photo
	Verdict Verdict `json:"verdict"`
}

// Sum counts photos.
type Sum struct {
	Photos int   `json:"photos"`
	Octets int64 `json:"octets"`
}

// Safety says which photos may be removed from a device.
type Safety struct {
	Safe   Sum            `json:"safe"`
	Not    Sum            `json:"not_safe"`
	Why    map[string]Sum `json:"why"` // those that are not, by reason; at most mostReasons
	Photos []Judged       `json:"photos"`
	Next   string         `json:"next,omitempty"`
	Behind bool           `json:"behind"`
}

// mostReasons bounds how many reasons are told apart: they name vaults, of which there are few.
const mostReasons = 50

// Safety returns a page of an account's photos, each with a verdict. Where q is zero but for its Limit, all of the account's photos are counted too. Errors: those of [Library.Photos].
func (l *Library) Safety(ctx context.Context, p holdfast.Principal, owner holdfast.ID, q Query) (out Safety, err error) {
	st, err := l.standingOf(ctx, p, owner)
	if err != nil {
		return out, err
	}
	page, err := l.Photos(ctx, p, owner, q)
	if err != nil {
		return out, err
	}
	out = Safety{Why: map[string]Sum{}, Photos: []Judged{}, Next: page.Next, Behind: page.Behind}
	for i := range page.Photos {
		out.Photos = append(out.Photos, Judged{page.Photos[i], st.of(&page.Photos[i])})
	}
	if q.Limit = 0; q != (Query{}) {
		return out, nil
	}
	return out, l.sums(ctx, owner, &st, &out)
}

// sums judges all files of an account: a row at a time, and of each what a verdict needs.
func (l *Library) sums(ctx context.Context, owner holdfast.ID, st *standing, out *Safety) error {
	return l.read(ctx, func(c *conn) error {
		return c.each("SELECT p.stored, p.hash, p.size, p.lost, k.state"+joined+"WHERE p.acct = ? AND (p.shown OR p.film)", func(s *sqlite.Stmt) error {
			x := Photo{seq: uint64(s.ColumnInt64(0)), Hash: hashAt(s, 1), State: shownState(s.ColumnInt(4))}
			if s.ColumnBool(3) {
				x.State = Broken
			}
			size, v := s.ColumnInt64(2), st.of(&x)
			add := func(sum *Sum) { sum.Photos++; sum.Octets += size }
			if v.Safe {
				add(&out.Safe)
				return nil
			}
			add(&out.Not)
			if sum, ok := out.Why[v.Why]; ok || len(out.Why) < mostReasons {
				add(&sum)
				out.Why[v.Why] = sum
			}
			return nil
		}, owner)
	})
}
