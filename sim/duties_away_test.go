package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/sim/load"
)

// TestKilledWhileErasing kills the program while it erases accounts whose wait is over. They are erased in the end, no restore brings them back, and the others lose nothing.
func TestKilledWhileErasing(t *testing.T) {
	d := newDuties(t, map[string]string{"HOLDFAST_ERASE_WAIT": "50ms", "HOLDFAST_ERASE_EVERY": "50ms", "HOLDFAST_VAULT_KEEP": "400ms", "HOLDFAST_VAULT_KEEP_TAIL": "600ms"})
	ids := map[string]string{}
	cuts := 0
	for n := range rounds() {
		list, err := d.s.AddAccounts(t.Context(), fmt.Sprintf("leaving%d-", n), 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range list {
			w := load.NewWriter(dial(t, d.s), a, 1, uint64(1000+10*n+i))
			load.Run(t.Context(), []*load.Writer{w}, load.Bounds{Count: 20})
			w.Conn.Close()
			var out struct{ ID string }
			if err := d.s.Run(t.Context(), &out, "account", "erase", a.Email); err != nil {
				t.Fatal(err)
			}
			ids[out.ID] = a.Email
		}
		d.underLoad(900*time.Millisecond, nil)
		d.cut(n)
		if left := d.erased(ids); len(left) > 0 {
			cuts++
		}
		d.reconnected()
	}
	deadline := time.Now().Add(time.Minute)
	for {
		d.k.acked += load.Run(t.Context(), d.writers, load.Bounds{For: 200 * time.Millisecond}).Done // somebody goes on, so that heads are written
		left := d.erased(ids)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("never erased: %q", left)
		}
	}
	for id := range ids {
		if keys, err := filepath.Glob(filepath.Join(d.vault(), "keys", "*", id+"*")); err != nil || len(keys) != 0 {
			t.Fatalf("keys of %s are still there: %q, %v", id, keys, err)
		}
	}
	d.rebuilt()
	for id := range ids {
		if err := d.s.Run(t.Context(), &struct{}{}, "account", "show", id); err == nil {
			t.Errorf("%s came back", id)
		}
	}
	t.Logf("killed %d times, %d of them before all was erased; %d accounts erased; %d changes of others acknowledged, lost: 0", rounds(), cuts, len(ids), d.k.acked)
	if cuts == 0 && !testing.Short() {
		t.Error("no erasure was cut, so nothing was shown")
	}
}

// erased returns those that are not erased yet. All of them must be known to wait for it, or to be it.
func (d *duties) erased(ids map[string]string) (left []string) {
	d.t.Helper()
	var out struct {
		Erasures []struct {
			ID    string   `json:"id"`
			State string   `json:"state"`
			Left  []string `json:"left"`
		} `json:"erasures"`
	}
	if err := d.s.Run(d.t.Context(), &out, "account", "erase", "--list"); err != nil {
		d.t.Fatal(err)
	}
	states := map[string]string{}
	for _, e := range out.Erasures {
		states[e.ID] = e.State
		if e.State == "erased" && len(e.Left) > 0 {
			d.t.Fatalf("%s is said to be erased, and %q are left", e.ID, e.Left)
		}
	}
	for id, email := range ids {
		switch states[id] {
		case "erased":
		case "":
			d.t.Fatalf("nobody knows any more that %s is to be erased", email)
		default:
			left = append(left, email)
		}
	}
	return left
}

// TestKilledWhileRestoring takes the data away, and kills the restore and the adoption until they come to their end. Everything that was acknowledged is there, and the store goes on.
func TestKilledWhileRestoring(t *testing.T) {
	d := newDuties(t, nil)
	kills, restores := 0, 0
	for kills < 2*rounds() {
		d.k.acked += load.Run(t.Context(), d.writers, load.Bounds{For: time.Second}).Done
		if err := d.s.Kill(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		d.opens(d.key) // also tells how long one takes
		took := time.Since(began) * 3 / 2
		if err := os.RemoveAll(d.o.Data); err != nil {
			t.Fatal(err)
		}
		for n := 0; ; n++ {
			while := took
			if n > 6 {
				while = time.Hour
			}
			if out, ended := d.killedWithin(while, "restore", "--json", "--from", d.vault(), "--key", d.key, "--into", d.o.Data); ended {
				if got := d.whole(out); !slices.Equal(got, d.everybody()) {
					t.Fatalf("restored were %q", got)
				}
				break
			}
			kills++
			if d.isRestored() { // it was killed behind its end
				break
			}
		}
		for n := 0; ; n++ {
			if _, ended := d.killedWithin(60*time.Millisecond<<n, "adopt", d.o.Data); ended {
				break
			}
			kills++
		}
		restores++
		d.verified()
		d.check(kills >= 2*rounds())
		d.reconnected()
	}
	d.rebuilt()
	t.Logf("%d restores and adoptions, killed %d times; %d changes acknowledged, lost: 0", restores, kills, d.k.acked)
}

// isRestored tells whether the directory is a store that a restore made.
func (d *duties) isRestored() bool {
	_, going := os.Stat(filepath.Join(d.o.Data, "restoring.json"))
	_, done := os.Stat(filepath.Join(d.o.Data, "restored.json"))
	return going != nil && done == nil
}
