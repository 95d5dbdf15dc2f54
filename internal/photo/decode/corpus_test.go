package decode

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusDir gives photos of real cameras, which are not part of this repository.
func corpusDir(t testing.TB) string {
	dir := os.Getenv("HOLDFAST_PHOTOS")
	if dir == "" {
		dir = "../../../../shared/corpus/photos"
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus of photos was not found (HOLDFAST_PHOTOS): %v", err)
		}
		t.Skipf("the corpus of photos was not found (HOLDFAST_PHOTOS): %v", err)
	}
	return dir
}

// TestCorpus makes thumbnails of each. HOLDFAST_THUMBS names a directory in which they are left, to be looked at.
func TestCorpus(t *testing.T) {
	dir := corpusDir(t)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(t, "decode-worker", 2)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := thumbsOf(t, p, b)
		if f.Name() == "corrupted.jpg" { // octets are missing in its middle
			var u *Undecodable
			if !errors.As(err, &u) {
				t.Errorf("%s: %v", f.Name(), err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", f.Name(), err)
			continue
		}
		if want := infoOf(t, b).Profile; !bytes.Equal(infoOf(t, got.Large).Profile, want) || !bytes.Equal(infoOf(t, got.Square).Profile, want) {
			t.Errorf("%s: the thumbnails have another profile", f.Name())
		}
		if out := os.Getenv("HOLDFAST_THUMBS"); out != "" {
			base := filepath.Join(out, strings.TrimSuffix(f.Name(), filepath.Ext(f.Name())))
			if err := errors.Join(os.WriteFile(base+"-square.jpg", got.Square, 0o600), os.WriteFile(base+"-large.jpg", got.Large, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%s: %d x %d, %d and %d octets, hash %x", f.Name(), got.LargeWidth, got.LargeHeight, len(got.Square), len(got.Large), got.Hash)
	}
}
