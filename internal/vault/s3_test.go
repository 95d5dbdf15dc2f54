package vault

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/bucket"
	"holdfast/internal/place"
	"holdfast/internal/place/s3"
	"holdfast/internal/s3test"
)

// inBucket returns the place in a bucket, as a process of its own has it.
func inBucket(t *testing.T, srv *s3test.Server, name string, lock time.Duration) *s3.Place {
	t.Helper()
	b, err := bucket.Open(bucket.Options{URL: srv.URL + "/" + name + "/family", Key: bucket.Key{ID: s3test.AccessKey, Secret: s3test.SecretKey}, Pause: 2 * time.Millisecond})
	fine(t, err)
	return s3.New(s3.Options{Bucket: b, Lock: func(name string) time.Duration {
		if Lockable(name) {
			return lock
		}
		return 0
	}})
}

// TestInABucket ships, seals, joins and reads back over an object store, with a line that breaks now and then behind what was done.
func TestInABucket(t *testing.T) {
	srv := s3test.Start(t)
	name := srv.Bucket(t)
	r, m := newRig(t, inBucket(t, srv, name, 0)), newMaker(3, 12)
	srv.Front.Plan(func(n int, r *http.Request) s3test.Act {
		switch {
		case n%23 == 7:
			return s3test.Act{Kind: s3test.Lose}
		case n%31 == 5:
			return s3test.Act{Kind: s3test.Refuse, Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		case n%29 == 3:
			return s3test.Act{Kind: s3test.HalfAnswer, Octets: 20}
		}
		return s3test.Act{}
	})
	for i := range 60 {
		r.ship(m.batch(6))
		r.clock.Advance(time.Minute)
		switch i % 20 {
		case 7:
			r.open()
		case 11:
			fine(t, r.w.Head(ctx, HeadInput{}))
		case 15:
			r.w.Roll()
			fine(t, r.v.Upkeep(ctx, r.w))
		}
	}
	srv.Front.Plan(nil)
	got, damage := readAll(t, r.recovery, ReadOptions{}, inBucket(t, srv, name, 0))
	if n := same(t, "in a bucket", got, m.truth(len(m.batches))); n != 0 || len(damage) != 0 {
		t.Fatalf("%d missing, %+v", n, damage)
	}
	segments, whole := 0, 0
	fine(t, r.place.List(ctx, "tail/", "", func(i place.Info) error {
		if !strings.HasSuffix(i.Name, place.Grows) {
			return nil
		}
		segments++
		_, err := r.place.(*s3.Place).Bucket().Stat(ctx, i.Name)
		if err == nil {
			whole++
		}
		return nil
	}))
	if segments < 3 || whole == 0 {
		t.Errorf("%d segments, of which %d lie there whole", segments, whole)
	}
}

// TestTwoOfOneTerm has a copy of a store, with its keys and its term, write into the same bucket: who comes later stops who was there, at its next append, and who is behind is told so.
func TestTwoOfOneTerm(t *testing.T) {
	srv := s3test.Start(t)
	name := srv.Bucket(t)
	r, m := newRig(t, inBucket(t, srv, name, 0)), newMaker(4, 3)
	r.ship(m.batch(2), m.batch(2))
	end := m.pos
	o := r.opt
	o.Place = inBucket(t, srv, name, 0)
	v, err := Open(ctx, o)
	fine(t, err)
	w, err := v.Writer(ctx, r.term, end) // the copy starts
	fine(t, err)
	next := m.batch(2)
	if err := r.w.Append(ctx, PackBatches([]*holdfast.Batch{next}, r.clock.Now())); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Fatalf("the first appends while another writes: %v", err)
	}
	fine(t, r.w.Close())
	r.w = nil
	r.open() // it comes again, and that stops the copy
	fine(t, r.w.Append(ctx, PackBatches([]*holdfast.Batch{next}, r.clock.Now())))
	other := newMaker(4, 3)
	other.batch(2)
	other.batch(2)
	other.r.Uint64()
	wrong := other.batch(2)                                                       // of the same number
	for _, kind := range []holdfast.ErrorKind{holdfast.Exists, holdfast.Fenced} { // the segment that it would begin has a key; the next one has none
		if err := w.Append(ctx, PackBatches([]*holdfast.Batch{wrong}, r.clock.Now())); !holdfast.IsKind(err, kind) {
			t.Fatalf("the copy appends another batch of the same number: %v", err)
		}
	}
	if _, err := v.Writer(ctx, r.term, end); !holdfast.IsKind(err, holdfast.PreconditionFailed) {
		t.Fatalf("the copy goes on from where the vault does not end any more: %v", err)
	}
	got, damage := readAll(t, r.recovery, ReadOptions{}, inBucket(t, srv, name, 0))
	if n := same(t, "two of one term", got, m.truth(len(m.batches))); n != 0 || len(damage) != 0 {
		t.Fatalf("%d missing, %+v", n, damage)
	}
}

// TestAnAdoptionStopsWhoWrites has a store that was restored take the right to write while the old one runs: not one more batch is taken of that, and it is not stopped by who has no right.
func TestAnAdoptionStopsWhoWrites(t *testing.T) {
	srv := s3test.Start(t)
	name := srv.Bucket(t)
	r, m := newRig(t, inBucket(t, srv, name, 0)), newMaker(5, 3)
	r.ship(m.batch(2), m.batch(2))
	o := r.opt
	o.Place = inBucket(t, srv, name, 0)
	v, err := Open(ctx, o)
	fine(t, err)
	old := r.term
	old.Nonce = holdfast.ID{9}
	if _, err := v.Writer(ctx, old, m.pos); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Fatalf("another term writes: %v", err)
	}
	r.ship(m.batch(2)) // and nobody was stopped by it
	term, err := v.Adopt(ctx, holdfast.ID{0xaa}, m.pos, FromEnd)
	fine(t, err)
	if err := r.w.Append(ctx, PackBatches([]*holdfast.Batch{m.batch(2)}, r.clock.Now())); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Fatalf("the old store appends after another took over: %v", err)
	}
	end, newest, err := v.End(ctx)
	if err != nil || end != term.Base.Is() || newest.Number != term.Number {
		t.Errorf("it ends at %+v, %v", end, err)
	}
}

// TestALockedVault keeps what the vault needs from being removed; keys go at once, and what was replaced goes when its lock has ended.
func TestALockedVault(t *testing.T) {
	srv := s3test.Start(t)
	name := srv.Locking(t)
	const lock = 8 * time.Second
	r, m := newRig(t, inBucket(t, srv, name, lock)), newMaker(6, 4)
	for range 10 {
		r.ship(m.batch(4))
	}
	r.w.Roll()
	fine(t, r.v.Upkeep(ctx, r.w))
	var names []string
	fine(t, r.place.List(ctx, "", "", func(i place.Info) error { names = append(names, i.Name); return nil }))
	locked := 0
	for _, n := range names {
		if !Lockable(n) {
			continue
		}
		locked++
		if err := r.place.Remove(ctx, n); !holdfast.IsKind(err, holdfast.Forbidden) {
			t.Errorf("%s can be removed: %v", n, err)
		}
	}
	if locked < 5 || locked == len(names) {
		t.Errorf("%d of %d objects are locked", locked, len(names))
	}
	left, err := r.v.Erase(ctx, r.w, m.accounts[0], nil)
	fine(t, err)
	for _, n := range left {
		if ParseName(n).Class == AccountKey {
			t.Errorf("the key %s of an erased account is left", n)
		}
	}
	time.Sleep(lock / 2)
	held, err := r.v.Hold(ctx)
	fine(t, err)
	time.Sleep(lock/2 + time.Second)
	packs, err := r.v.Packs(ctx)
	fine(t, err)
	if err := r.place.Remove(ctx, packs[0].Name+packSuffix); !holdfast.IsKind(err, holdfast.Forbidden) || held == 0 {
		t.Errorf("a pack that was held again can be removed: %v; %d were held", err, held)
	}
	segment := SegmentName(1, 1)
	if err := r.place.Remove(ctx, segment); err != nil {
		t.Errorf("a segment of which a pack was made was held again: %v", err)
	}
}
