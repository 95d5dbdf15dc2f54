package s3_test

import (
	"context"
	"testing"
	"time"

	"holdfast/internal/bucket"
	"holdfast/internal/place"
	"holdfast/internal/place/placetest"
	"holdfast/internal/place/s3"
	"holdfast/internal/s3test"
)

// open returns the place in a bucket, as a process of its own would have it.
func open(t *testing.T, srv *s3test.Server, name string) *s3.Place {
	t.Helper()
	b, err := bucket.Open(bucket.Options{URL: srv.URL + "/" + name + "/vaults/one", Key: bucket.Key{ID: s3test.AccessKey, Secret: s3test.SecretKey}, Pause: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s3.New(s3.Options{Bucket: b})
}

func TestPlace(t *testing.T) {
	srv := s3test.Start(t)
	for what, make := range map[string]func(testing.TB) string{"Plain": srv.Bucket, "Versioned": srv.Versioned} {
		t.Run(what, func(t *testing.T) {
			placetest.Run(t, func(t *testing.T) place.Place { return open(t, srv, make(t)) })
		})
	}
	t.Run("Fenced", func(t *testing.T) {
		placetest.Run(t, func(t *testing.T) place.Place {
			p := open(t, srv, srv.Bucket(t))
			if err := p.Fence(context.Background()); err != nil {
				t.Fatal(err)
			}
			return p
		})
	})
}
