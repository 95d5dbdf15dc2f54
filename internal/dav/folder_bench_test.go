package dav

import (
	"fmt"
	"testing"

	"holdfast/internal/core"
)

// BenchmarkSharedListing lists a folder of 10,000 files, at a depth of ten folders, by its owner and by a guest who has it from the topmost of them.
func BenchmarkSharedListing(b *testing.B) {
	c := newHearth(b, func(_ *core.Options, o *Options) { o.MaxAnswer = 1 << 30 })
	at := "top/Family/"
	for i := range 10 {
		at += fmt.Sprint(i) + "/"
		c.wantAs(201, "alice", "MKCOL", filing+at, "")
	}
	for i := range 10_000 {
		c.wantAs(201, "alice", "PUT", filing+at+fmt.Sprint(i), "x")
	}
	ask := find("D:getetag", "D:getcontentlength", "D:current-user-privilege-set", "D:owner")
	for who, href := range map[string]string{"alice": filing + at, "walt": filing + at[len("top/"):]} {
		b.Run(who, func(b *testing.B) {
			for b.Loop() {
				c.wantAs(207, who, "PROPFIND", href, ask, "Depth: 1")
			}
		})
	}
}
