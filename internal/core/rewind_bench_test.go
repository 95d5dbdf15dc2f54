package core_test

import (
	"fmt"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store/sqlite"
)

// BenchmarkRewind rewinds an address book of 100,000 contacts that were deleted, and to before they came.
func BenchmarkRewind(b *testing.B) {
	const n = 100_000
	e, err := sqlite.Open(b.Context(), sqlite.Options{Dir: b.TempDir(), Create: true, Ballast: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	s := core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines}})
	a, r, err := s.CreateAccount(b.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		b.Fatal(err)
	}
	p := holdfast.Principal{Account: a.ID}
	at, err := s.Locate(b.Context(), p, a.ID, []string{"addressbooks", "default"})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; i += 1000 {
		q := core.PutManyRequest{Owner: a.ID, Collection: at.Collection.ID}
		for k := i; k < i+1000; k++ {
			q.Items = append(q.Items, core.Item{Name: fmt.Sprintf("%d.vcf", k), Body: fmt.Appendf(nil, "u%d %300d", k, k)})
		}
		if _, err := s.PutMany(b.Context(), p, q); err != nil {
			b.Fatal(err)
		}
	}
	past, err := s.Past(b.Context(), p, a.ID)
	if err != nil {
		b.Fatal(err)
	}
	var last holdfast.ID
	for b.Loop() {
		var out core.Reversed
		if last.IsZero() {
			out, err = past.Rewind(b.Context(), core.RewindRequest{Seq: r.Seq}, nil)
		} else {
			out, err = past.Undo(b.Context(), core.UndoRequest{Reversal: last}, nil)
		}
		if err != nil || len(out.Steps) != n {
			b.Fatal(len(out.Steps), err)
		}
		last = out.Record.ID
	}
}
