package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/sim/load"
	"holdfast/sim/server"
)

// killers is how many connections write while the server is killed.
const killers = 32

// TestKill ends the server by SIGKILL at random moments under load, again and again. After each start every acknowledged change must be there, octet for
// octet; what was on its way is there whole or not at all, and sending it again makes it exactly one change, so that the receipts of an account never skip a
// number. At the end the journals are read with the server's own engine.
//
// This is the death of a process, not of a machine: what was handed to the operating system survives. The power cut is simulated in internal/store/sqlite.
func TestKill(t *testing.T) {
	kills := *killsFlag
	if testing.Short() {
		kills = min(kills, 3)
	}
	seed := seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	o := server.Options{Bin: program(t), Data: t.TempDir() + "/data"}
	s := start(t, o)
	var writers []*load.Writer
	for i, a := range people(t, s, killers) {
		w := load.NewWriter(dial(t, s), a, seed, uint64(i))
		w.Strict, w.Guarded, w.Deletes = true, true, 10
		writers = append(writers, w)
	}
	k := &killing{t: t, rand: r, seen: make([]int, len(writers))}
	for n := range kills {
		k.round(n, s, writers)
		s = start(t, o)
		k.check(s, writers, n == kills-1)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	k.journals(o.Data, writers)
	t.Logf("%d kills, %d changes acknowledged, %d on their way when the server was killed: of these %d stored, %d not",
		kills, k.acked, k.stored+k.lost, k.stored, k.lost)
	if k.acked == 0 || k.stored+k.lost == 0 {
		t.Error("the server was never killed under load, so nothing was shown")
	}
}

type killing struct {
	t      *testing.T
	rand   *rand.Rand
	acked  int64
	stored int
	lost   int
	seen   []int // how many items of each writer were verified once
}

// round writes until the server is killed.
func (k *killing) round(n int, s *server.Server, writers []*load.Writer) {
	k.t.Helper()
	after := time.Duration(k.rand.Int64N(int64(1200 * time.Millisecond)))
	killed := make(chan error, 1)
	time.AfterFunc(after, func() { killed <- s.Kill() })
	res := load.Run(k.t.Context(), writers, load.Bounds{For: 20 * time.Second})
	if err := <-killed; err != nil {
		k.t.Fatal(err)
	}
	k.acked += res.Done
	if err := broken(res.Errors); err != nil {
		k.t.Fatalf("kill %d, after %v: %v", n, after, err)
	}
	if len(res.Refused) > 0 {
		k.t.Fatalf("kill %d, after %v: refused, by status: %v", n, after, res.Refused)
	}
	if len(res.Errors) != len(writers) {
		k.t.Fatalf("kill %d: %d of %d writers went on without a server", n, len(writers)-len(res.Errors), len(writers))
	}
}

// check asks the server that was started again for everything it was told. What an earlier check saw is looked at in listings, and again in full at last.
func (k *killing) check(s *server.Server, writers []*load.Writer, last bool) {
	k.t.Helper()
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for i, w := range writers {
		wg.Go(func() {
			stored, settled, err := k.one(s, w, &k.seen[i], last)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				errs = append(errs, err)
			case settled && stored:
				k.stored++
			case settled:
				k.lost++
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killing) one(s *server.Server, w *load.Writer, seen *int, last bool) (stored, settled bool, err error) {
	w.Conn.Close()
	c, err := load.Dial(context.Background(), s.Addr, time.Now().Add(5*time.Minute))
	if err != nil {
		return false, false, err
	}
	w.Reconnect(c)
	from := uint64(*seen)
	if last {
		from = 0
	}
	// What was acknowledged is looked at before the change whose answer is missing is sent again.
	next := from
	for _, it := range w.Items() {
		if it.Seq <= from || w.IsPending(it.UID) {
			continue
		}
		next = max(next, it.Seq)
		if err := w.Verify(it); err != nil {
			return false, false, err
		}
	}
	*seen = int(next)
	if settled = w.Pending(); settled {
		if stored, err = w.Settle(); err != nil {
			return stored, settled, err
		}
	}
	return stored, settled, w.VerifyListing()
}

// journals opens the stopped server's store and compares each journal, change by change, with the receipts.
func (k *killing) journals(dir string, writers []*load.Writer) {
	t := k.t
	t.Helper()
	e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Check(t.Context(), true, nil, func(f store.Finding) { t.Errorf("the store's own check: %+v", f) }); err != nil {
		t.Fatal(err)
	}
	for _, w := range writers {
		if err := journal(t.Context(), e, w); err != nil {
			t.Error(err)
		}
	}
}

// journal walks one account's changes: no number is missing, the newest is that of the newest receipt, and each contact's last change is the acknowledged one.
func journal(ctx context.Context, e store.Engine, w *load.Writer) error {
	login, err := holdfast.ParseLogin(w.Account.Email)
	if err != nil {
		return err
	}
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	id, err := snap.AccountByLogin(login)
	if err != nil {
		return err
	}
	seq := uint64(0)
	newest := map[string]uint64{}
	err = snap.Changes(id, 0, 0, 0, func(c *holdfast.Change) error {
		if c.Seq != seq+1 {
			return fmt.Errorf("%s: the journal goes from change %d to %d", w.Account.Email, seq, c.Seq)
		}
		seq = c.Seq
		newest[c.Name] = c.Seq
		return nil
	})
	if err != nil {
		return err
	}
	if seq != w.Seq() {
		return fmt.Errorf("%s: the journal ends with change %d, the last receipt is %d", w.Account.Email, seq, w.Seq())
	}
	for _, it := range w.Items() {
		if got := newest[it.UID+".vcf"]; got != it.Seq {
			return fmt.Errorf("%s: the last change of %s is %d, its receipt says %d", w.Account.Email, it.UID, got, it.Seq)
		}
	}
	return nil
}
