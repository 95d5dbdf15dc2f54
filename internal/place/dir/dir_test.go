package dir_test

import (
	"context"
	"testing"
	"time"

	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/place/placetest"
	"holdfast/internal/vfs"
)

var ctx = context.Background()

var start = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

func TestPlace(t *testing.T) {
	placetest.Run(t, func(t *testing.T) place.Place {
		d, err := dir.Open(vfs.OS, t.TempDir(), dir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
