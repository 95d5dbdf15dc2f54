package vault

import (
	"errors"
	"testing"

	"holdfast"
)

// A line of a restore names the damaged object once, and no operation of the program.
func TestWording(t *testing.T) {
	inner := fail("Frame", holdfast.Corrupt, "", "the hash differs", nil)
	frames := fail("Frames", holdfast.Corrupt, "tail/1/1.frames", "the frame of the batches 1 to 7 is damaged", inner)
	for _, c := range []struct {
		object string
		err    error
		want   string
	}{
		{"tail/1/1.frames", frames, "the frame of the batches 1 to 7 is damaged (the hash differs)"},
		{"pages/1.pack", frames, "tail/1/1.frames: the frame of the batches 1 to 7 is damaged (the hash differs)"},
		{"pages/1.pack", fail("Pack", holdfast.NotFound, "pages/1.pack", "", nil), holdfast.NotFound.String()},
		{"pages/1.pack", errors.New("input/output error"), "input/output error"},
	} {
		if got := wording(c.object, c.err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.object, got, c.want)
		}
	}
}
