package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// TestRightsHoldInTheJournal: while an owner moves folders out of what is shared and into it, renames them, and ends shares and gives them, guests write as they can. Read afterwards change by change, the owner's journal has nothing
// of a guest's where he had no right in that very moment.
func TestRightsHoldInTheJournal(t *testing.T) {
	for what, e := range map[string]func() store.Engine{"memory": func() store.Engine { return memory.New() }, "sqlite": func() store.Engine { return newSQLite(t) }} {
		t.Run(what, func(t *testing.T) { raceMoves(t, newHousehold(t, core.Options{Engine: e()})) })
	}
}

func raceMoves(t *testing.T, h *household) {
	must(t, h.mkdir("alice", "F"), h.mkdir("alice", "F/a"), h.mkdir("alice", "F/a/b"), h.mkdir("alice", "out"), h.share("alice", "F", "bob", "write"), h.share("alice", "F", "carol", "write"), h.put("bob", "own", "x"), h.put("carol", "own", "x"))
	stop, wg, acked := make(chan struct{}), sync.WaitGroup{}, atomic.Int64{}
	for i, who := range []string{"bob", "carol", "bob"} {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 3))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("F/a/b/%d-%d", i, rng.IntN(20))
				var err error
				switch rng.IntN(7) {
				case 0, 1, 2:
					err = h.put(who, name, fmt.Sprint(n))
				case 3:
					err = h.remove(who, name)
				case 4:
					err = h.mkdir(who, name+"d")
				case 5:
					err = h.carry(who, name, name+"m", true, true)
				default:
					err = h.carry(who, "own", name, false, true)
				}
				switch {
				case err == nil:
					acked.Add(1)
				case holdfast.IsKind(err, holdfast.Forbidden), holdfast.IsKind(err, holdfast.NotFound), holdfast.IsKind(err, holdfast.PreconditionFailed), holdfast.IsKind(err, holdfast.Exists):
				default:
					t.Error(err)
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(9, 9))
	for began, n := time.Now(), 0; n < 300 && time.Since(began) < time.Second || acked.Load() < 100 && time.Since(began) < 30*time.Second; n++ {
		var err error
		switch rng.IntN(4) {
		case 0:
			err = errors.Join(h.move("alice", "F/a", "out/a"), h.move("alice", "out/a", "F/a"))
		case 1:
			err = errors.Join(h.move("alice", "F/a/b", "out/b"), h.move("alice", "out/b", "F/a/b"))
		case 2:
			err = errors.Join(h.move("alice", "F", "out/F"), h.move("alice", "out/F", "F"))
		default:
			err = errors.Join(h.unshare("alice", "F", "bob"), h.share("alice", "F", "bob", "write"))
		}
		must(t, err)
		time.Sleep(time.Millisecond)
	}
	close(stop)
	wg.Wait()
	if n := h.replay(t); n < 50 {
		t.Errorf("guests wrote %d times: that tells nothing", n)
	}
}

// replay reads alice's journal and checks each change of another's against the tree and the shares of its moment. It returns how many there are.
func (h *household) replay(t *testing.T) (n int) {
	t.Helper()
	alice := h.people["alice"].Account
	parent, shares := map[holdfast.ID]holdfast.ID{}, map[string]bool{}
	may := func(who, at holdfast.ID) bool {
		for id := at; !id.IsZero() && id != alice; id = parent[id] {
			if shares[holdfast.ShareName(id, who)] {
				return true
			}
		}
		return false
	}
	err := h.s.Inspect(context.Background(), alice, func(r *core.Reader) error {
		var group []holdfast.Change
		return r.History().Changes(alice, 0, 0, core.WithBody, func(c *holdfast.Change) error {
			if c.Actor.Account != alice && !c.Actor.Account.IsZero() {
				n++
				in := []holdfast.ID{c.Collection}
				if c.Name == "" {
					in = nil
					if old, ok := parent[c.Collection]; ok {
						in = append(in, old)
					}
					if rec, err := holdfast.DecodeCollection(c.Body); err == nil {
						in = append(in, rec.Parent)
					}
				}
				for _, id := range in {
					if !may(c.Actor.Account, id) {
						t.Errorf("change %d: %v of %q in %s by a guest without a right", c.Seq, c.Op, c.Name, id)
					}
				}
			}
			x := *c
			x.Body = slices.Clone(c.Body)
			if group = append(group, x); c.More > 0 {
				return nil
			}
			for _, c := range group {
				switch {
				case c.Kind == holdfast.KindShare:
					shares[c.Name] = c.Op == holdfast.OpPut
				case c.Name == "" && c.Op == holdfast.OpPut:
					rec, err := holdfast.DecodeCollection(c.Body)
					if err != nil {
						return err
					}
					parent[c.Collection] = rec.Parent
				}
			}
			group = nil
			return nil
		})
	})
	must(t, err)
	return n
}
