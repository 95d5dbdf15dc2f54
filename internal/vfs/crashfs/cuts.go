package crashfs

import (
	"fmt"
	"math/rand/v2"

	"holdfast/internal/vfs"
)

// Cuts cuts the power after each call that story makes on a new disk, with some seeds each, and returns what broken says of what is left then; empty: nothing is wrong. story returns what it was told. runs is how many cuts there were.
// Errors: that of a story that was not cut.
func Cuts[T any](disk func() *Disk, seeds uint64, story func(vfs.FS) (T, error), broken func(vfs.FS, T) string) (found []string, runs int, err error) {
	for n := 1; ; n++ {
		for seed := range seeds {
			d := disk()
			d.CutAfter(n)
			x, err := story(d.FS())
			if !d.Off() {
				return found, runs, err
			}
			runs++
			d.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
			if what := broken(d.FS(), x); what != "" {
				found = append(found, fmt.Sprintf("cut %d, seed %d: %s", n, seed, what))
			}
		}
	}
}
