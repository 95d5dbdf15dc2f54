package relay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
)

// TestTheNewestFrameIsDamaged: the vault's newest frame has a hole, as a power cut may leave it, or rot. A store that has its batches writes them again. One that was put back from an older image must not go on as if
// they had never been: they may have been acknowledged.
func TestTheNewestFrameIsDamaged(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	for i := range 20 {
		_, _, err := g.wait(g.put(g.a, fmt.Sprint(i)))
		fine(t, err)
	}
	end := g.engine.Info().Position
	killed := g.places["local"].Clone() // before a last head is written
	g.stop()
	segment := ""
	fine(t, killed.List(t.Context(), "tail/", "", func(i place.Info) error {
		if strings.HasSuffix(i.Name, place.Grows) {
			segment = i.Name
		}
		return nil
	}))
	b, err := place.ReadAll(t.Context(), killed, segment, 1<<20)
	fine(t, err)
	whole := g.engine
	for _, damage := range []struct {
		what   string
		do     func([]byte) []byte
		refuse bool // where the store lacks what it may have been
	}{
		{"a hole", func(b []byte) []byte { clear(b[len(b)-100 : len(b)-50]); return b }, true},
		{"a bit that turned", func(b []byte) []byte { b[len(b)-20] ^= 4; return b }, true},
		{"a line that cannot be read", func(b []byte) []byte { b[strings.LastIndex(string(b), "\nHF0 ")+2] ^= 1; return b }, true},
		{"a line that names a later batch", func(b []byte) []byte {
			i := strings.LastIndex(string(b), "\nHF0 ")
			return append(b[:i:i], strings.Replace(string(b[i:]), fmt.Sprintf(" %d %d ", end.Batch, end.Batch), fmt.Sprintf(" %d 99 ", end.Batch), 1)...)
		}, true},
		{"a beginning alone", func(b []byte) []byte { return b[:len(b)-30] }, false},
	} {
		bad := killed.Clone()
		bad.Overwrite(segment, damage.do(slices.Clone(b)))
		for _, lacks := range []uint64{0, 1} {
			g.places["local"].Place = bad.Clone()
			if g.engine = whole; lacks > 0 {
				g.engine = g.rebuilt(end.Batch - lacks)
			}
			r, err := New(g.options("engine+local", false))
			fine(t, err)
			err = r.Reconcile(t.Context())
			switch refused := holdfast.IsKind(err, holdfast.Corrupt); {
			case lacks > 0 && damage.refuse:
				if !refused || !strings.Contains(err.Error(), "restore") {
					t.Errorf("%s, and the store lacks %d: %v", damage.what, lacks, err)
				}
				continue
			case err != nil:
				t.Errorf("%s, and the store lacks %d: %v", damage.what, lacks, err)
				continue
			}
			g.start("engine+local", false)
			if lacks == 0 {
				g.until("shipped", func() bool { return g.r.Acked() == end.Batch })
				g.held("local")
			}
			g.stop()
		}
	}
}
