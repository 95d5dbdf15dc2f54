package core_test

import (
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// TestNoFolderIsBeyondReach: what is moved or copied below something deep is refused where it could not be named any more, by its depth or by its names, also from one account to another.
func TestNoFolderIsBeyondReach(t *testing.T) {
	eachHousehold(t, core.Options{}, func(t *testing.T, h *household) {
		chain := func(who, top, name string, n int) string {
			at := top
			for range n {
				at += "/" + name
				must(t, h.mkdir(who, at))
			}
			return at
		}
		must(t, h.mkdir("alice", "a"), h.mkdir("alice", "b"), h.mkdir("alice", "c"), h.mkdir("alice", "d"), h.mkdir("bob", "his"))
		deep := chain("alice", "a", "x", core.MaxDeep/2-1)
		chain("alice", "b", "y", core.MaxDeep/2)
		chain("bob", "his", "z", core.MaxDeep/2)
		wide := chain("alice", "c", strings.Repeat("\u65e5", 85), 6)
		chain("alice", "d", strings.Repeat("\u65e5", 85), 6)
		must(t, h.share("alice", "a", "bob", holdfast.RightWrite))
		wantKind(t, h.move("alice", "b", deep+"/b"), holdfast.TooLarge)
		wantKind(t, h.copy("alice", "b", deep+"/b"), holdfast.TooLarge)
		wantKind(t, h.move("bob", "his", deep+"/his"), holdfast.TooLarge)
		wantKind(t, h.copy("bob", "his", deep+"/his"), holdfast.TooLarge)
		wantKind(t, h.move("alice", "d", wide+"/d"), holdfast.TooLarge)
		wantKind(t, h.copy("alice", "d", wide+"/d"), holdfast.TooLarge)
		must(t, h.move("alice", "b/y/y/y", deep+"/b"), h.move("bob", "his/z/z/z", "a/his"), h.copy("alice", "d", "a/x/d"))
		last := chain("alice", deep+"/b"+strings.Repeat("/y", core.MaxDeep/2-3), "n", 1) // MaxDeep, with the home
		wantKind(t, h.mkdir("alice", last+"/n"), holdfast.TooLarge)
		must(t, h.move("alice", deep+"/b", deep+"/renamed")) // in its own place it is as deep as before
	})
}
