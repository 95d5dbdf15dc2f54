package scrub

import (
	"context"
	"errors"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// waiting tells how many bodies of an account are to be mended.
func (s *Scrubber) waiting(id holdfast.ID) int { return len(s.wanted(id)) }

// wanted returns the seqs of an account whose octets are not theirs, and what they should have for a hash.
func (s *Scrubber) wanted(id holdfast.ID) map[uint64]holdfast.Hash {
	out := map[uint64]holdfast.Hash{}
	s.Book.change(func(x *State) {
		for i := range x.Now.Findings {
			if f := &x.Now.Findings[i]; f.Account == id && (f.Kind == Octets || f.Kind == Lost) && !f.Mended && f.Why == "" && f.ETag != nil {
				out[f.Seq] = *f.ETag
			}
		}
	})
	return out
}

// What is said of octets that no vault gave.
const (
	whyNowhere = "no vault that can be read has these octets: `holdfast repair --from VAULT` brings back what another one has of what is there now, and a PUT of the item by any of its devices makes a sound version"
	whyNoVault = "there is no vault that they could be taken from; a PUT of the item by any of its devices makes a sound version"
)

// mend puts back what a vault has. What it cannot is said in the finding; that is no error.
func (s *Scrubber) mend(ctx context.Context, id holdfast.ID) {
	want := s.wanted(id)
	if len(want) == 0 {
		return
	}
	left := map[uint64]string{}
	for seq := range want {
		if left[seq] = whyNowhere; s.Source == nil {
			left[seq] = whyNoVault
		}
	}
	from := map[uint64]string{}
	var err error
	if s.Source != nil {
		err = s.Source(ctx, id, want, func(seq uint64, body []byte, where string) error {
			etag, ok := want[seq]
			if _, done := from[seq]; !ok || done || holdfast.HashOf(body) != etag {
				return nil
			}
			err := s.Engine.Mend(ctx, id, seq, body)
			if err == nil {
				err = s.readBack(ctx, id, seq, etag)
			}
			if err != nil {
				left[seq] = "it could not be written: " + err.Error()
				return context.Cause(ctx)
			}
			from[seq] = where
			return nil
		})
	}
	if ctx.Err() != nil {
		s.settle(id, from, nil) // the others are tried again
		return
	}
	if err != nil {
		s.Log.Error("the vaults could not be read for what rotted in the engine; the next round tries again", "account", id, "err", err)
	}
	s.settle(id, from, left)
}

// readBack reads what was written once more.
func (s *Scrubber) readBack(ctx context.Context, id holdfast.ID, seq uint64, etag holdfast.Hash) error {
	snap, err := s.Engine.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	sound := false
	err = snap.Changes(id, seq-1, 1, store.WithBody, func(c *holdfast.Change) error {
		sound = c.Seq == seq && holdfast.HashOf(c.Body) == etag
		return nil
	})
	if err == nil && !sound {
		err = errors.New("read again, it is not what was written")
	}
	return err
}

// settle writes down what was mended and what was not.
func (s *Scrubber) settle(id holdfast.ID, from, left map[uint64]string) {
	var done []Finding
	s.Book.change(func(x *State) {
		for i := range x.Now.Findings {
			f := &x.Now.Findings[i]
			if f.Account != id || f.Kind != Octets && f.Kind != Lost || f.Mended || f.Why != "" {
				continue
			}
			if where, ok := from[f.Seq]; ok {
				f.Mended, f.From = true, where
				x.Now.Mended++
				if f.Kind == Lost {
					x.Now.Found++
				}
			} else if f.Why = left[f.Seq]; f.Why == "" {
				continue
			}
			if f.Mended || f.Kind != Lost {
				done = append(done, *f)
			}
		}
		x.Now.Findings = slices.DeleteFunc(x.Now.Findings, func(f Finding) bool {
			lost := f.Account == id && f.Kind == Lost && f.Why != ""
			if lost {
				x.Now.Ghosts++
			}
			return lost
		})
	})
	for _, f := range done {
		if f.Mended {
			s.Log.Warn("what rotted in the engine was mended", "account", f.Account, "collection", f.Collection, "item", f.Name, "seq", f.Seq, "from", f.From)
		} else {
			s.Log.Error("what rotted in the engine was not mended", "account", f.Account, "collection", f.Collection, "item", f.Name, "seq", f.Seq, "why", f.Why)
		}
		s.tell(f)
	}
}
