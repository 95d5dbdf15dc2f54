package library

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/photo"
	"holdfast/internal/store/memory"
)

// manyPhotos is a library of an account with n photos, taken over ten years.
func manyPhotos(b *testing.B, n int) (*Library, holdfast.Principal) {
	e := memory.New()
	s := core.New(core.Options{Engine: e})
	a, _, err := s.CreateAccount(b.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		b.Fatal(err)
	}
	p := holdfast.Principal{Account: a.ID}
	at, err := s.Locate(b.Context(), p, a.ID, []string{"files", "Photos"})
	if err != nil {
		b.Fatal(err)
	}
	l, err := Open(Options{Dir: b.TempDir(), Store: e.Info().Store, Core: s})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close(); e.Close() })
	if err := l.refresh(b.Context(), a.ID); err != nil {
		b.Fatal(err)
	}
	rng, began := rand.New(rand.NewPCG(1, 2)), time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	for done := 0; done < n; {
		if err := l.write(b.Context(), func(c *conn) error {
			for range min(5000, n-done) {
				done++
				x := &holdfast.Resource{Account: a.ID, Collection: at.Collection.ID, Name: fmt.Sprintf("IMG_%06d.JPG", done), Kind: holdfast.KindFile, ETag: holdfast.HashOf([]byte{byte(done), byte(done >> 8), byte(done >> 16)}),
					Size: 4 << 20, Seq: uint64(done + 100), Item: uint64(done + 100), Modified: began}
				if err := c.takeFile(a.ID, x); err != nil {
					return err
				}
				f := finding{job: job{account: a.ID, hash: x.ETag}, info: photo.Info{Kind: photo.JPEG, Width: 4032, Height: 3024, Camera: photo.Camera{Make: "Apple", Model: fmt.Sprintf("iPhone %d", done%9)},
					Place: &photo.Place{Lat: rng.Float64()*180 - 90, Lon: rng.Float64()*360 - 180}, Taken: photo.Taken{At: began.Add(time.Duration(rng.Int64N(3650*24*3600)) * time.Second), Sure: photo.Stated, From: "EXIF"}}}
				if err := c.describe(&f, stateDone); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	return l, p
}

// BenchmarkTimeline asks a library of 100,000 photos.
func BenchmarkTimeline(b *testing.B) {
	l, p := manyPhotos(b, 100_000)
	day := func(y int) time.Time { return time.Date(y, 6, 1, 0, 0, 0, 0, time.UTC) }
	ask := func(q Query) func() error {
		return func() error {
			page, err := l.Photos(context.Background(), p, p.Account, q)
			if err == nil && len(page.Photos) == 0 {
				err = fmt.Errorf("no photos")
			}
			return err
		}
	}
	for _, x := range []struct {
		name string
		ask  func() error
	}{
		{"first page", ask(Query{})},
		{"months", func() error { _, err := l.Months(context.Background(), p, p.Account); return err }},
		{"page of a month", ask(Query{From: day(2013), To: day(2013).AddDate(0, 1, 0)})},
		{"search by camera", ask(Query{Camera: "iphone 7"})},
		{"search by name, the oldest alone", ask(Query{Name: "099999"})},
		{"search by place", ask(Query{Box: &Box{South: 50, West: 5, North: 55, East: 15}})},
		{"safety", func() error { _, err := l.Safety(context.Background(), p, p.Account, Query{}); return err }},
	} {
		b.Run(strings.ReplaceAll(x.name, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				if err := x.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
