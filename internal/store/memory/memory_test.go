package memory_test

import (
	"testing"

	"holdfast"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) *storetest.Harness {
		e := memory.New()
		return &storetest.Harness{Name: "memory", Engine: e, Rot: func(_ testing.TB, account holdfast.ID, seq uint64) { e.Rot(account, seq) }}
	})
}
