package dir_test

import (
	"testing"

	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/place/placetest"
	"holdfast/internal/vfs"
)

func TestPlace(t *testing.T) {
	placetest.Run(t, func(t *testing.T) place.Place {
		d, err := dir.Open(vfs.OS, t.TempDir(), dir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
