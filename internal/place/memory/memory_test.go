package memory_test

import (
	"testing"

	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/place/placetest"
)

func TestPlace(t *testing.T) {
	placetest.Run(t, func(*testing.T) place.Place { return memory.New(clock.System) })
}
