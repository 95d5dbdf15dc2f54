package scrub

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vfs"
)

// BenchmarkRound reads a SQLite engine of 96 MiB at no rate, out of the system's cache: what the processor allows. Bodies are of the size of contacts, of contacts with a photograph, and of the largest events.
func BenchmarkRound(b *testing.B) {
	for _, size := range []int{600, 40 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			dir := b.TempDir()
			e, err := sqlite.Open(b.Context(), sqlite.Options{Dir: dir, Create: true, Ballast: -1})
			fine(b, err)
			defer e.Close()
			c := core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge}, Clock: clock.System})
			a, _, err := c.CreateAccount(b.Context(), holdfast.Actor{}, "alice@example.org", "")
			fine(b, err)
			book, err := c.Locate(b.Context(), holdfast.Principal{Account: a.ID}, a.ID, []string{"addressbooks", "default", "x.vcf"})
			fine(b, err)
			total := int64(min(96<<20, 100000*size))
			for n := int64(0); n < total; {
				g := &holdfast.Group{Account: a.ID}
				for range min(500, max(1, 4<<20/size)) {
					body := make([]byte, size)
					rand.Read(body)
					id := holdfast.NewID(nil)
					g.Entries = append(g.Entries, holdfast.Entry{ID: id, Op: holdfast.OpPut, Kind: holdfast.KindAddress, Collection: book.Place().Collection, Name: id.String() + ".vcf", Body: body, At: clock.System.Now()})
					n += int64(size)
				}
				g.Seal()
				_, err := e.Commit(b.Context(), g)
				fine(b, err)
			}
			s := &Scrubber{Engine: e, Book: OpenBook(vfs.OS, dir), Clock: clock.System, Pace: func(ctx context.Context, _ int64) error { return context.Cause(ctx) }, Log: slog.New(slog.DiscardHandler)}
			b.SetBytes(total)
			for b.Loop() {
				r, err := s.Round(b.Context())
				fine(b, err)
				if r.Found != 0 || r.Octets < total {
					b.Fatalf("%+v", r)
				}
			}
		})
	}
}
