package main

import (
	"context"
	"fmt"
	"testing"
)

// TestInterrupted holds that what was only read does not claim to have done anything.
func TestInterrupted(t *testing.T) {
	err := fmt.Errorf("read: %w", context.Canceled)
	if exitCode(err) != exitBusy || sentence(err) != "interrupted" {
		t.Errorf("%d %q", exitCode(err), sentence(err))
	}
}
