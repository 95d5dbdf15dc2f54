package blobtest

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
)

// staged reads what was staged before it is kept, while somebody has it open, and behind its end.
func staged(t *testing.T, r Rig) {
	octets := Octets(3, blob.Piece+100)
	whole := func(what string, f blob.File, err error) {
		t.Helper()
		got := make([]byte, len(octets))
		if err == nil {
			_, err = f.ReadAt(got, 0)
		}
		if err != nil && err != io.EOF || f.Size() != int64(len(octets)) || !bytes.Equal(got, octets) {
			t.Errorf("%s: it is not what was put (%v)", what, err)
		}
	}
	for _, again := range []string{"", ", once more"} {
		x, err := r.Store.Stage(t.Context(), account(1), bytes.NewReader(octets), noLimit)
		if err != nil {
			t.Fatal(err)
		}
		f, err := x.Open(t.Context())
		whole("before it is kept"+again, f, err)
		if err := x.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		whole("opened before it was kept"+again, f, nil)
		f.Close()
		f, err = x.Open(t.Context())
		whole("kept"+again, f, err)
		f.Close()
		x.Drop()
		f, err = x.Open(t.Context())
		whole("behind its end"+again, f, err)
		f.Close()
	}
	x, err := r.Store.Stage(t.Context(), account(1), strings.NewReader("never kept"), noLimit)
	if err != nil {
		t.Fatal(err)
	}
	x.Drop()
	if f, err := x.Open(t.Context()); err == nil {
		f.Close() // it may be there still, for who copies it
	} else {
		want(t, "dropped", err, holdfast.NotFound)
	}
}
