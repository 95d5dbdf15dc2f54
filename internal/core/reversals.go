package core

import (
	"cmp"
	"errors"
	"slices"
	"sort"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// span is a run of changes, both ends in it.
type span struct{ first, last uint64 }

// reversal is an undo or a rewind as it lies in an account's journal.
type reversal struct {
	holdfast.ReversalRecord
	name      string
	seq       uint64 // of the newest version of its record
	from, to  time.Time
	groups    spans // ascending; nil: not read yet
	collected bool
}

// reversals are those of one account, newest first.
type reversals struct {
	account holdfast.ID
	list    []*reversal
}

func readReversals(snap store.Snapshot, account holdfast.ID) (reversals, error) {
	out := reversals{account: account}
	err := snap.List(account, holdfast.RecordReversalPrefix, 0, WithBody, func(r *holdfast.Resource) error {
		if !strings.HasPrefix(r.Name, holdfast.RecordReversalPrefix) {
			return errPast
		}
		rec, err := holdfast.DecodeReversal(r.Body)
		if err != nil {
			return &holdfast.Error{Op: "core.History", Kind: holdfast.Corrupt, Ref: r.Name, Err: err}
		}
		out.list = append(out.list, &reversal{ReversalRecord: rec, name: r.Name, seq: r.Seq, from: r.Made, to: r.Modified})
		return nil
	})
	if errors.Is(err, errPast) {
		err = nil
	}
	slices.SortFunc(out.list, func(a, b *reversal) int { return cmp.Compare(b.seq, a.seq) })
	return out, err
}

// byID returns a reversal; nil: there is none of that id.
func (rs *reversals) byID(id holdfast.ID) *reversal {
	for _, r := range rs.list {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// of returns the reversal that a change belongs to; nil for none. The entries of a reversal's group have one time, so that most are ruled out without a read.
func (rs *reversals) of(snap store.Snapshot, ch *holdfast.Change) (*reversal, error) {
	for _, r := range rs.list {
		if ch.At.Before(r.from) || ch.At.After(r.to) {
			continue
		}
		if err := rs.collect(snap, r); err != nil {
			return nil, err
		}
		if r.groupOf(ch.Seq).first != 0 {
			return r, nil
		}
	}
	return nil, nil
}

// collect reads which groups are a reversal's: a version of its record is the first entry of each.
func (rs *reversals) collect(snap store.Snapshot, r *reversal) error {
	if r.collected {
		return nil
	}
	err := snap.Versions(rs.account, r.name, 0, func(ch *holdfast.Change) error {
		r.groups = append(r.groups, span{ch.Seq, ch.GroupEnd()})
		return nil
	})
	slices.Reverse(r.groups)
	r.collected = err == nil
	return err
}

// groupOf returns the group of the reversal that holds a change; zero: none does.
func (r *reversal) groupOf(seq uint64) span {
	i := sort.Search(len(r.groups), func(i int) bool { return r.groups[i].last >= seq })
	if i < len(r.groups) && r.groups[i].first <= seq {
		return r.groups[i]
	}
	return span{}
}
