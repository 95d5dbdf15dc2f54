package memory_test

import (
	"testing"

	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/memory"
)

func TestStore(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blobtest.Rig { return blobtest.Rig{Store: memory.New(nil)} })
}
