package restore

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/vault"
)

// ordered remembers in which order accounts come.
type ordered struct {
	store.Engine
	mu   sync.Mutex
	came []holdfast.ID
}

func (o *ordered) Apply(ctx context.Context, b *holdfast.Batch) error {
	o.mu.Lock()
	for i := range b.Changes {
		if id := b.Changes[i].Account; !slices.Contains(o.came, id) {
			o.came = append(o.came, id)
		}
	}
	o.mu.Unlock()
	return o.Engine.Apply(ctx, b)
}

// TestContactsComeFirst: accounts with much in them are restored last, the smallest of them first, and are whole all the same; as of a moment too.
func TestContactsComeFirst(t *testing.T) {
	s := newSource(t)
	defer s.stop()
	size := map[holdfast.ID]int{}
	for i := range 6 {
		id := s.account(fmt.Sprintf("p%d@example.org", i))
		size[id] = []int{5000, 10, 90_000, 20, 40_000, 30}[i]
		for k := range 4 {
			s.put(id, fmt.Sprintf("%d.vcf", k), fmt.Sprint(k)+strings.Repeat("x", size[id]))
		}
	}
	s.clock.Advance(time.Minute)
	v, err := vault.Open(t.Context(), s.options())
	fine(t, err)
	for _, o := range []Options{{}, {At: s.clock.Now()}} {
		e := &ordered{Engine: memory.New()}
		o.Vaults, o.Recovery, o.Engine, o.Spool, o.Nonce, o.Clock, o.Workers, o.Large = []*vault.Vault{v}, s.recovery, e, filepath.Join(t.TempDir(), "spool"), holdfast.ID{9}, s.clock, 1, 100_000
		rep, err := Run(t.Context(), o)
		fine(t, err)
		if len(rep.Losses) > 0 || len(rep.Accounts) != 6 || len(e.came) != 6 {
			t.Fatalf("%d accounts, lost: %+v", len(e.came), rep.Losses)
		}
		if a, b := size[e.came[4]], size[e.came[5]]; a != 40_000 || b != 90_000 {
			t.Errorf("the last two have %d and %d octets an item", a, b)
		}
	}
}
