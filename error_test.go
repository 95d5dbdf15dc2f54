package holdfast

import (
	"errors"
	"testing"
)

// Who tells an error on, with its text in a sentence of its own, does not say the cause twice.
func TestCauseIsSaidOnce(t *testing.T) {
	plain := errors.New("stat /mnt/x: no such file or directory")
	inner := &Error{Op: "dir.Open", Kind: Unavailable, Text: "the directory cannot be used", Err: plain}
	outer := &Error{Op: "gate", Kind: Unavailable, Text: "not yet: the directory cannot be used (" + plain.Error() + ")", Err: inner}
	if got := outer.Cause(); got != "" {
		t.Errorf("said again: %q", got)
	}
	outer.Text = "not yet"
	if got, want := outer.Cause(), "the directory cannot be used: "+plain.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
