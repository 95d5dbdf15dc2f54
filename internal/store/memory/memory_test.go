package memory_test

import (
	"testing"

	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) *storetest.Harness {
		return &storetest.Harness{Name: "memory", Engine: memory.New()}
	})
}
