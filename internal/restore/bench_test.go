package restore

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	blobdisk "holdfast/internal/blob/disk"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/core"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/seal"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// BenchmarkRestore restores a vault of 200 accounts into SQLite; HOLDFAST_RESTORE_CHANGES says how many changes, default 20,000.
func BenchmarkRestore(b *testing.B) {
	n := 20_000
	if s := os.Getenv("HOLDFAST_RESTORE_CHANGES"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	s := newBenchSource(b, n)
	for b.Loop() {
		dir := b.TempDir()
		e, err := sqlite.Open(b.Context(), sqlite.Options{Dir: dir, Create: true, Ballast: -1, Bulk: true, CacheKiB: 16 << 10})
		fine(b, err)
		v, err := vault.Open(b.Context(), vault.Options{Place: s.place, With: []*seal.Identity{s.recovery.Identity}})
		fine(b, err)
		rep, err := Run(context.Background(), Options{Vaults: []*vault.Vault{v}, Recovery: s.recovery, Engine: e, Spool: dir + "/spool", Derive: core.DeriveBy(judges), Nonce: holdfast.ID{1}})
		fine(b, err)
		b.ReportMetric(rep.Rate, "changes/s")
		if len(rep.Losses) > 0 {
			b.Fatal(rep.Losses)
		}
		fine(b, e.EndBulk(b.Context()))
		fine(b, e.Close())
	}
}

func newBenchSource(b *testing.B, n int) *source {
	s := &source{}
	s.init(b)
	m := storetest.NewMaker(1)
	var people []storetest.Account
	for i := range 200 {
		people = append(people, storetest.NewAccount(b, m, s.engine, fmt.Sprintf("p%d@example.org", i)))
	}
	term, err := s.vault(b).Adopt(b.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(b, err)
	for i := range n {
		p := people[i%200]
		name := fmt.Sprint(i/200, ".vcf")
		_, err := s.engine.Commit(b.Context(), storetest.Sealed(p.ID, m.Put(p.Book, name, name, storetest.Card(name, name, fmt.Sprintf("%0450d", i*7919)))))
		fine(b, err)
	}
	v := s.vault(b)
	w, err := v.Writer(b.Context(), term, holdfast.Position{})
	fine(b, err)
	for {
		var list []*holdfast.Batch
		fine(b, s.engine.After(b.Context(), w.Position().Batch, 2000, func(x *holdfast.Batch) error { list = append(list, x); return nil }))
		if len(list) == 0 {
			break
		}
		fine(b, w.Append(b.Context(), vault.PackBatches(list, s.clock.Now())))
	}
	w.Roll()
	for {
		rep, err := v.Seal(b.Context(), w)
		fine(b, err)
		if rep.Segments == 0 {
			break
		}
		b.Logf("sealed %d changes of %d accounts into %d octets", rep.Changes, rep.Accounts, rep.Octets)
	}
	fine(b, w.Close())
	return s
}

func (s *source) vault(b *testing.B) *vault.Vault {
	v, err := vault.Open(b.Context(), s.options())
	fine(b, err)
	return v
}

// BenchmarkBlobs brings 256 MiB of large files, half of them photos of 3 MiB and half films of 32 MiB, out of a vault in a directory onto a disk, beside a plain copy of the vault's objects with an fsync each. HOLDFAST_BLOBS_DIR says on which disk; default: that of temporary files.
func BenchmarkBlobs(b *testing.B) {
	s := &source{}
	s.init(b)
	top := b.TempDir()
	if d := os.Getenv("HOLDFAST_BLOBS_DIR"); d != "" {
		var err error
		top, err = os.MkdirTemp(d, "holdfast-bench-*")
		fine(b, err)
		b.Cleanup(func() { os.RemoveAll(top) })
	}
	p, err := dir.Open(vfs.OS, top+"/vault", dir.Options{Create: true})
	fine(b, err)
	o := s.options()
	o.Place = p
	v, err := vault.Create(b.Context(), o, vault.Meta{Vault: holdfast.ID{1}, Store: storeID, Name: "local"})
	fine(b, err)
	_, err = v.Adopt(b.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(b, err)
	m := storetest.NewMaker(1)
	a := storetest.NewAccount(b, m, s.engine, "ann@example.org")
	mem := memblob.New(s.clock)
	var octets int64
	put := func(n int, size int) {
		for i := range n {
			x, err := blobtest.Put(b.Context(), mem, a.ID, blobtest.Octets(uint64(size+i), size))
			fine(b, err)
			fine(b, v.PutBlob(b.Context(), a.ID, x, func() (blob.File, error) { return mem.Open(b.Context(), a.ID, x.Hash) }))
			fine(b, mem.Remove(b.Context(), a.ID, x.Hash))
			e := holdfast.Entry{ID: holdfast.NewID(rand.Reader), Op: holdfast.OpPut, Kind: holdfast.KindFile, Collection: a.Book, Name: fmt.Sprint(size, "-", i), Blob: &x}
			_, err = s.engine.Commit(b.Context(), storetest.Sealed(a.ID, e))
			fine(b, err)
			octets += x.Size
		}
	}
	put(43, 3<<20)
	put(4, 32<<20)
	b.Run("blobs", func(b *testing.B) {
		b.SetBytes(octets)
		for b.Loop() {
			b.StopTimer()
			fine(b, os.RemoveAll(top+"/blobs"))
			to, err := blobdisk.Open(vfs.OS, top+"/blobs")
			fine(b, err)
			b.StartTimer()
			rep, err := CopyBlobs(b.Context(), BlobOptions{Engine: s.engine, Blobs: blob.NewKeeper(to), From: Of(v)})
			if err != nil || rep.Came != octets {
				b.Fatal(err, rep)
			}
		}
	})
	b.Run("plain", func(b *testing.B) {
		b.SetBytes(octets)
		for b.Loop() {
			b.StopTimer()
			fine(b, os.RemoveAll(top+"/plain"))
			fine(b, os.Mkdir(top+"/plain", 0o700))
			b.StartTimer()
			fine(b, p.List(b.Context(), "blobs/", "", func(i place.Info) error {
				from, err := p.Get(b.Context(), i.Name, 0, -1)
				fine(b, err)
				to, err := os.Create(top + "/plain/" + filepath.Base(i.Name))
				fine(b, err)
				_, err = io.Copy(to, from)
				fine(b, err)
				fine(b, to.Sync())
				fine(b, from.Close())
				return to.Close()
			}))
		}
	})
}
