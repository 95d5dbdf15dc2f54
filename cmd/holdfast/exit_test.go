package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"holdfast"
)

// TestInterrupted holds that what was only read does not claim to have done anything.
func TestInterrupted(t *testing.T) {
	err := fmt.Errorf("read: %w", context.Canceled)
	if exitCode(err) != exitBusy || sentence(err) != "interrupted" {
		t.Errorf("%d %q", exitCode(err), sentence(err))
	}
}

// TestCauseIsSaidOnce: the words of a cause that wraps the same words are not said again.
func TestCauseIsSaidOnce(t *testing.T) {
	refused := errors.New("connection refused")
	inner := &holdfast.Error{Op: "davclient", Kind: holdfast.Unavailable, Text: "the server cannot be reached", Err: refused}
	for _, x := range []struct {
		err  error
		want string
	}{
		{&holdfast.Error{Text: "the server cannot be reached; run it again", Err: inner}, "the server cannot be reached; run it again (connection refused)"},
		{&holdfast.Error{Text: "nothing was found", Err: inner}, "nothing was found (the server cannot be reached: connection refused)"},
		{&holdfast.Error{Text: "the server cannot be reached", Err: &holdfast.Error{Text: "the server cannot be reached"}}, "the server cannot be reached"},
		{&holdfast.Error{Text: "nothing was found"}, "nothing was found"},
		{&holdfast.Error{Text: "nothing was found", Err: &holdfast.Error{Kind: holdfast.Corrupt}}, "nothing was found (corrupt)"},
	} {
		if got := sentence(x.err); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
}
