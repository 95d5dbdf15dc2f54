package carddav_test

import (
	"testing"

	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

func newEngine(testing.TB) store.Engine { return memory.New() }
