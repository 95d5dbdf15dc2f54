package memory_test

import (
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/memory"
)

func TestStore(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blobtest.Rig { return blobtest.Rig{Store: memory.New(nil)} })
}

// TestForget forgets an erased account: also what an upload holds goes, and nothing of others.
func TestForget(t *testing.T) {
	s := memory.New(nil)
	k := blob.NewKeeper(s)
	for _, x := range []struct {
		account byte
		octets  string
	}{{1, "a"}, {1, "b"}, {2, "a"}} {
		pin, err := k.Put(t.Context(), holdfast.ID{x.account}, strings.NewReader(x.octets), 10)
		if err != nil {
			t.Fatal(err)
		}
		if x.octets == "a" {
			pin.Release()
		}
	}
	for range 2 {
		if err := k.Forget(t.Context(), holdfast.ID{1}); err != nil {
			t.Fatal(err)
		}
	}
	for account, want := range map[byte]int{1: 0, 2: 1} {
		n := 0
		if err := k.List(t.Context(), holdfast.ID{account}, nil, 0, func(blob.Info) error { n++; return nil }); err != nil || n != want {
			t.Errorf("of the account %d there are %d, %v", account, n, err)
		}
	}
}
