package core

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// A COPY of a large tree may be cut: its client is gone, the server is killed, a vault is away. Who asks for the same again, of a source in the same state, waits for the first request, goes on with what it
// left aside, or meets what it made.

// maxAsides bounds how many copies of one source in one state to one destination are told apart.
const maxAsides = 16

// sameCopy is what makes two requests the same copy: from where to where, in which state the source is.
type sameCopy struct {
	key   [sha256.Size]byte
	state map[holdfast.ID]uint64 // of each collection of the source, the last change in it
}

// identify looks at the source.
func (x *copying) identify(ctx context.Context, src *holdfast.Resource) error {
	snap, err := x.s.newest(ctx, x.t.From.Owner)
	if err != nil {
		return err
	}
	defer snap.Close()
	all, err := snap.Collections(x.t.From.Owner)
	if err != nil {
		return err
	}
	x.same.state = map[holdfast.ID]uint64{}
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %s %q %t %t %d\n", x.t.From.Owner, x.t.From.Collection, x.t.To.Owner, x.t.To.Collection, x.t.To.Name, x.t.Shallow, x.t.From.Binding, src.Seq)
	for _, c := range all {
		if c.ID == x.t.From.Collection {
			x.same.state[c.ID] = c.Seq
		}
	}
	if !x.t.Shallow {
		for _, c := range below(x.t.From.Collection, all) {
			x.same.state[c.ID] = c.Seq
		}
	}
	ids := make([]holdfast.ID, 0, len(x.same.state))
	for id := range x.same.state {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, holdfast.ID.Compare)
	for _, id := range ids {
		fmt.Fprintf(h, "%s %d\n", id, x.same.state[id])
	}
	h.Sum(x.same.key[:0])
	return nil
}

// place finds where the copy is made: what the same request left aside, or an id that none has had.
func (x *copying) place(ctx context.Context) (at aside, left bool, err error) {
	snap, err := x.s.newest(ctx, x.t.To.Owner)
	if err != nil {
		return at, false, err
	}
	defer snap.Close()
	for n := range maxAsides {
		sum := sha256.Sum256(fmt.Appendf(x.same.key[:], "%d", n))
		at.id = holdfast.ID(sum[:len(at.id)])
		c, err := snap.Collection(at.id)
		if holdfast.IsKind(err, holdfast.NotFound) {
			return at, false, nil
		}
		if err != nil {
			return at, false, err
		}
		if c.Gone || c.Parent != x.t.To.Owner || c.Name != copyPrefix+at.id.String() {
			continue
		}
		r, err := snap.Resource(at.id, "", 0)
		at.seq = r.Seq
		return at, true, err
	}
	return aside{id: holdfast.NewID(x.s.random)}, false, nil
}

// reached returns the last name that is in a copy already: members are copied by ascending name.
func (x *copying) reached(ctx context.Context, into holdfast.ID) (last string, err error) {
	if !x.again {
		return "", nil
	}
	snap, err := x.s.newest(ctx, x.t.To.Owner)
	if err != nil {
		return "", err
	}
	defer snap.Close()
	err = snap.List(into, "", 0, 0, func(r *holdfast.Resource) error { last = r.Name; return nil })
	return last, err
}

// child finds a collection that is in a copy already; zero: there is none.
func (x *copying) child(ctx context.Context, into holdfast.ID, name string) (holdfast.ID, error) {
	if !x.again {
		return holdfast.ID{}, nil
	}
	snap, err := x.s.newest(ctx, x.t.To.Owner)
	if err != nil {
		return holdfast.ID{}, err
	}
	defer snap.Close()
	c, err := snap.Child(into, name)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return holdfast.ID{}, nil
	}
	return c.ID, err
}

// ofTheMoment tells whether an error is of the moment: what was copied is left aside then, for who asks again, and is deleted a day later.
func ofTheMoment(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	switch holdfast.KindOf(err) {
	case holdfast.Unavailable, holdfast.Busy, holdfast.Full, holdfast.Fenced:
		return true
	}
	return false
}

// met tells whether what stands at the destination is the copy already, and returns a receipt of that: all that the source has is there, and nothing else. Conditions of the request are not asked.
func (x *copying) met(ctx context.Context) (r holdfast.Receipt, is bool, err error) {
	if x.t.crosses() || x.t.From.Binding || len(x.t.Conditions) > 0 {
		return r, false, nil
	}
	owner := x.t.To.Owner
	snap, err := x.s.newest(ctx, owner)
	if err != nil {
		return r, false, err
	}
	defer snap.Close()
	c, err := snap.Child(x.t.To.Collection, x.t.To.Name)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return r, false, nil
	}
	if err != nil || c.ID == x.t.From.Collection {
		return r, false, err
	}
	all, err := snap.Collections(owner)
	if err != nil {
		return r, false, err
	}
	if is, err = equalTrees(ctx, snap, all, x.t.From.Collection, c.ID, x.t.Shallow); err != nil || !is {
		return r, false, err
	}
	head, err := snap.Head(owner)
	if err != nil {
		return r, false, err
	}
	r = holdfast.Receipt{Account: owner, Epoch: head.Epoch, Seq: head.Seq, Hash: head.Chain, Batch: head.Batch, Replay: true}
	r.Copies, r.Policy, err = x.s.copies.Wait(ctx, r.Batch)
	return r, true, err
}

// equalTrees tells whether two collections hold the same. A shallow copy is an empty one.
func equalTrees(ctx context.Context, snap store.Snapshot, all []holdfast.Collection, a, b holdfast.ID, shallow bool) (bool, error) {
	ca, cb, childrenA, childrenB := pick(all, a), pick(all, b), childrenOf(all, a), childrenOf(all, b)
	if shallow {
		childrenA = nil
	}
	if ca.Type != cb.Type || !slices.Equal(ca.Components, cb.Components) || !bytes.Equal(ca.Properties.Encode(), cb.Properties.Encode()) || len(childrenA) != len(childrenB) || !shallow && ca.Items != cb.Items || shallow && cb.Items > 0 {
		return false, nil
	}
	for name, child := range childrenA {
		other, ok := childrenB[name]
		if !ok {
			return false, nil
		}
		if same, err := equalTrees(ctx, snap, all, child, other, false); err != nil || !same {
			return false, err
		}
	}
	if shallow {
		return true, nil
	}
	return equalMembers(ctx, snap, a, b)
}

func pick(all []holdfast.Collection, id holdfast.ID) (c holdfast.Collection) {
	if i := slices.IndexFunc(all, func(c holdfast.Collection) bool { return c.ID == id }); i >= 0 {
		c = all[i]
	}
	return c
}

func childrenOf(all []holdfast.Collection, parent holdfast.ID) map[string]holdfast.ID {
	out := map[string]holdfast.ID{}
	for _, c := range all {
		if !c.Gone && c.Parent == parent && c.ID != parent {
			out[c.Name] = c.ID
		}
	}
	return out
}

// equalMembers compares the members of two collections by the page.
func equalMembers(ctx context.Context, snap store.Snapshot, a, b holdfast.ID) (bool, error) {
	for after := ""; ; {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		x, err := likenesses(snap, a, after)
		if err != nil {
			return false, err
		}
		y, err := likenesses(snap, b, after)
		if err != nil || !slices.Equal(x, y) {
			return false, err
		}
		if len(x) == 0 {
			return true, nil
		}
		after = x[len(x)-1].name
	}
}

// likeness is what of a member a copy has too.
type likeness struct {
	name, kind, properties string // kind: its media type
	etag                   holdfast.Hash
}

func likenesses(snap store.Snapshot, id holdfast.ID, after string) (out []likeness, err error) {
	err = snap.List(id, after, copyPart, WithProps|WithType, func(r *holdfast.Resource) error {
		f := likeness{r.Name, strings.Clone(r.ContentType), string(r.Properties.Encode()), r.ETag}
		if r.State == holdfast.Ghost {
			f.kind = "lost"
		}
		out = append(out, f)
		return nil
	})
	return out, err
}

// attempts lets one of several same copies work, and the others wait for it.
type attempts struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*attempt
	of  map[holdfast.ID]int  // by account
	ids map[holdfast.ID]bool // of what is filled now
}

// maxCopies is how many trees of one account are copied at once. They go on when who asked is gone.
const maxCopies = 8

type attempt struct {
	ended   chan struct{}
	receipt holdfast.Receipt
	err     error
}

// begin lets a copy work, or returns the same one that works. end is nil where neither may be.
func (w *attempts) begin(account holdfast.ID, key [sha256.Size]byte) (other *attempt, end func(holdfast.Receipt, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x := w.all[key]; x != nil {
		return x, nil
	}
	if w.of[account] >= maxCopies {
		return nil, nil
	}
	if w.all == nil {
		w.all, w.of = map[[sha256.Size]byte]*attempt{}, map[holdfast.ID]int{}
	}
	w.of[account]++
	x := &attempt{ended: make(chan struct{})}
	w.all[key] = x
	return nil, func(r holdfast.Receipt, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		x.receipt, x.err = r, err
		delete(w.all, key)
		if w.of[account]--; w.of[account] == 0 {
			delete(w.of, account)
		}
		close(x.ended)
	}
}

// fills notes that something aside is filled, until the function that it returns is called.
func (w *attempts) fills(id holdfast.ID) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids == nil {
		w.ids = map[holdfast.ID]bool{}
	}
	w.ids[id] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.ids, id)
	}
}

func (w *attempts) filling(id holdfast.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids[id]
}

// once lets the same copy be made once at a time. Who waited for another one gets what that got; where it failed, he tries himself.
func (x *copying) once(ctx context.Context, do func() (holdfast.Receipt, error)) (r holdfast.Receipt, err error) {
	for {
		other, end := x.s.copying.begin(x.t.To.Owner, x.same.key)
		if other == nil && end == nil {
			return r, &holdfast.Error{Op: "core.Copy", Kind: holdfast.Unavailable, Ref: x.t.To.Name, Retry: time.Minute, Text: "too many folders of this account are being copied; try again later"}
		}
		if other == nil {
			defer func() { end(r, err) }()
			return do()
		}
		select {
		case <-other.ended:
			if other.err == nil {
				r = other.receipt
				r.Replay = true
				return r, nil
			}
		case <-ctx.Done():
			return r, cmp.Or(context.Cause(ctx), ctx.Err())
		}
	}
}
