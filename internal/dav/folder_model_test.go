package dav

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// given is a share of the model.
type given struct {
	owner, guest string
	at           *node
	right        holdfast.Right // "": it was ended
	name         string         // in the guest's home; "": it does not hang there
	mood         string         // that the guest gave it
}

// world is three people's trees, and who may do what in them, by the words of the design alone: a right holds in a folder and in all below it.
type world struct {
	*circle
	rng    *rand.Rand
	trees  map[string]*node
	shares []*given
}

// in tells whether a node is another one, or lies below it.
func (n *node) in(top *node) bool {
	if n == top {
		return true
	}
	for _, c := range top.children {
		if n.in(c) {
			return true
		}
	}
	return false
}

// may tells whether somebody may do something with a node that lies in owner's tree.
func (w *world) may(who, owner string, n *node, write bool) bool {
	if who == owner {
		return true
	}
	for _, s := range w.shares {
		if s.owner == owner && s.guest == who && s.right != "" && (!write || s.right == holdfast.RightWrite) && n.in(s.at) {
			return true
		}
	}
	return false
}

// hangs returns what hangs in somebody's home under a name, whether it shows or not.
func (w *world) hangs(who, name string) *given {
	for _, s := range w.shares {
		if s.guest == who && s.name == name {
			return s
		}
	}
	return nil
}

// shown tells whether a share shows: it has a right, and its folder is there.
func (w *world) shown(s *given) bool {
	return s.name != "" && s.at.in(w.trees[s.owner]) && w.may(s.guest, s.owner, s.at, false)
}

// spotted is what a path leads to.
type spotted struct {
	owner      string // in whose tree
	parent, at *node
	binding    *given // it is what hangs in the home
	kept       bool   // the name is kept by something that hangs there and does not show
}

func (w *world) find(who string, path []string) spotted {
	root := w.trees[who]
	s := w.hangs(who, path[0])
	switch {
	case s == nil:
		parent, at := root.find(path)
		return spotted{owner: who, parent: parent, at: at}
	case !w.shown(s):
		if len(path) > 1 {
			return spotted{owner: who}
		}
		return spotted{owner: who, parent: root, kept: true}
	case len(path) == 1:
		return spotted{owner: s.owner, parent: root, at: s.at, binding: s}
	}
	parent, at := s.at.find(path[1:])
	return spotted{owner: s.owner, parent: parent, at: at}
}

// lines are all that somebody sees.
func (w *world) lines(who string) []string {
	home := HomeHref(w.people[who].Account, holdfast.HomeFiles)
	out := w.trees[who].lines(home, nil)
	for _, s := range w.shares {
		if s.guest == who && w.shown(s) {
			at := home + encodeSegment(s.name) + "/"
			out = s.at.lines(at, append(out, at+" "+s.mood))
		}
	}
	slices.Sort(out)
	return out
}

var fewNames = []string{"a", "b", "caf\u00e9", "cafe\u0301", "x y", "d"}

// somewhere picks a path in somebody's view that mostly leads somewhere.
func (w *world) somewhere(who string) (path []string) {
	n := &node{children: maps.Clone(w.trees[who].children)}
	for _, s := range w.shares {
		if s.guest == who && w.shown(s) {
			n.children[s.name] = s.at
		}
	}
	for len(path) < 4 {
		if n == nil || len(n.children) == 0 || w.rng.IntN(4) == 0 {
			return append(path, fewNames[w.rng.IntN(len(fewNames))])
		}
		name := slices.Sorted(maps.Keys(n.children))[w.rng.IntN(len(n.children))]
		if path, n = append(path, name), n.children[name]; w.rng.IntN(3) == 0 {
			return path
		}
	}
	return path
}

// try sends a request and checks that it is done exactly if it may be.
func (w *world) try(what, who string, may bool, method, href, body string, headers ...string) bool {
	w.t.Helper()
	w.user = who + "@example.org"
	r := w.do(method, href, body, headers...)
	if done := r.StatusCode < 300; done != may || !done && (r.StatusCode < 400 || r.StatusCode >= 500) {
		w.t.Fatalf("%s: %s: %s %s %v: status %d, may be: %v\n%s", what, who, method, href, headers, r.StatusCode, may, r.body)
	}
	return may
}

func (w *world) href(who string, path []string) string {
	return HomeHref(w.people[who].Account, holdfast.HomeFiles) + strings.TrimSuffix(w.home("", path...)[len(w.home("")):], "/")
}

func (w *world) step(what string) {
	w.t.Helper()
	who := []string{"alice", "rita", "walt"}[w.rng.IntN(3)]
	path := w.somewhere(who)
	x, href, name := w.find(who, path), w.href(who, path), path[len(path)-1]
	inside := x.parent != nil && x.parent.children != nil && !x.kept
	writes := inside && x.binding == nil && w.may(who, x.owner, x.parent, true)
	isFolder := x.at != nil && x.at.children != nil
	switch w.rng.IntN(13) {
	case 0, 1, 2:
		octets := fmt.Sprint(w.rng.IntN(1000))
		if w.rng.IntN(3) == 0 {
			octets = strings.Repeat(octets, 50) // a blob
		}
		if w.try(what, who, writes && !isFolder, "PUT", href, octets) {
			mood := ""
			if x.at != nil {
				mood = x.at.mood
			}
			x.parent.children[name] = &node{octets: octets, mood: mood}
		}
	case 3, 4:
		if w.try(what, who, writes && x.at == nil, "MKCOL", href, "") {
			x.parent.children[name] = folder()
		}
	case 5:
		if x.binding != nil {
			w.try(what, who, true, "DELETE", href, "")
			x.binding.name, x.binding.mood = "", ""
		} else if w.try(what, who, writes && x.at != nil, "DELETE", href, "") {
			delete(x.parent.children, name)
		}
	case 6:
		mood := fmt.Sprint(w.rng.IntN(100))
		if !w.try(what, who, x.at != nil && (x.binding != nil || writes), "PROPPATCH", href, `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><X:mood xmlns:X="urn:x">`+mood+`</X:mood></D:prop></D:set></D:propertyupdate>`) {
			return
		}
		if x.binding != nil {
			x.binding.mood = mood
		} else {
			x.at.mood = mood
		}
	case 7:
		w.give()
	case 8:
		if len(w.shares) > 0 && w.rng.IntN(3) == 0 {
			w.end(w.shares[w.rng.IntN(len(w.shares))])
		}
	default:
		w.transfer(what, who, path, x)
	}
}

// transfer copies or moves.
func (w *world) transfer(what, who string, path []string, x spotted) {
	w.t.Helper()
	to := w.somewhere(who)
	y, name := w.find(who, to), to[len(to)-1]
	method, overwrite := []string{"COPY", "MOVE"}[w.rng.IntN(2)], []string{"T", "F"}[w.rng.IntN(2)]
	n := min(len(path), len(to))
	if x.at != nil && y.at != nil && y.binding == nil && x.at.in(y.at) && !slices.Equal(path[:n], to[:n]) {
		return // over what it lies in, reached by another way: either may be right
	}
	may := x.at != nil && y.parent != nil && y.parent.children != nil && !y.kept && y.binding == nil && w.may(who, y.owner, y.parent, true) &&
		!slices.Equal(path[:n], to[:n]) && (y.at == nil || overwrite == "T") && !y.parent.in(x.at)
	if method == "MOVE" && x.binding != nil {
		may = len(to) == 1 && y.at == nil && !y.kept
	} else if method == "MOVE" {
		may = may && w.may(who, x.owner, x.parent, true)
	}
	if !w.try(what, who, may, method, w.href(who, path), "", "Destination: "+w.href(who, to), "Overwrite: "+overwrite) {
		return
	}
	switch {
	case method == "MOVE" && x.binding != nil:
		x.binding.name = name
	case method == "MOVE" && x.owner == y.owner:
		delete(x.parent.children, path[len(path)-1])
		y.parent.children[name] = x.at
	default:
		made := x.at.clone()
		if x.binding != nil {
			made.mood = ""
		}
		y.parent.children[name] = made
		if method == "MOVE" {
			delete(x.parent.children, path[len(path)-1])
		}
	}
}

// give shares a folder, or changes the right in one.
func (w *world) give() {
	w.t.Helper()
	owner := []string{"alice", "rita", "walt"}[w.rng.IntN(3)]
	guest := []string{"rita", "walt"}[w.rng.IntN(2)]
	path := w.somewhere(owner)
	x := w.find(owner, path)
	if guest == owner || x.owner != owner || x.at == nil || x.at.children == nil || x.binding != nil {
		return
	}
	right := []holdfast.Right{holdfast.RightRead, holdfast.RightWrite}[w.rng.IntN(2)]
	err := w.core.Share(w.t.Context(), holdfast.Actor{}, w.people[owner].Account, w.folder(w.t, owner, strings.Join(path, "/")), w.people[guest].Account, right)
	if x.parent != w.trees[owner] && right == holdfast.RightRead && w.may(guest, owner, x.parent, true) {
		if !holdfast.IsKind(err, holdfast.Invalid) {
			w.t.Fatalf("a right that takes nothing away: %v", err)
		}
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(w.shares, func(s *given) bool { return s.at == x.at && s.guest == guest })
	if i < 0 {
		i, w.shares = len(w.shares), append(w.shares, &given{owner: owner, guest: guest, at: x.at})
	}
	s := w.shares[i]
	if s.right = right; s.name == "" {
		taken := func(name string) bool { return w.trees[guest].children[name] != nil || w.hangs(guest, name) != nil }
		name := path[len(path)-1]
		for n := 1; taken(name); n++ {
			if name = path[len(path)-1] + " (" + owner + "@example.org)"; n > 1 {
				name += fmt.Sprint(" ", n)
			}
		}
		s.name = name
	}
}

func (w *world) end(s *given) {
	w.t.Helper()
	if s.right == "" || !s.at.in(w.trees[s.owner]) {
		return
	}
	id, ok := w.idOf(s)
	if !ok {
		return
	}
	if err := w.core.Unshare(w.t.Context(), holdfast.Actor{}, w.people[s.owner].Account, id, w.people[s.guest].Account); err != nil {
		w.t.Fatal(err)
	}
	s.right, s.name, s.mood = "", "", ""
}

// idOf finds the folder of a share by its path in its owner's tree.
func (w *world) idOf(s *given) (holdfast.ID, bool) {
	var path []string
	var walk func(n *node) bool
	walk = func(n *node) bool {
		if n == s.at {
			return true
		}
		for name, c := range n.children {
			path = append(path, name)
			if walk(c) {
				return true
			}
			path = path[:len(path)-1]
		}
		return false
	}
	if !walk(w.trees[s.owner]) {
		return holdfast.ID{}, false
	}
	return w.folder(w.t, s.owner, strings.Join(path, "/")), true
}

// same compares what each of them sees with the model, and each file's octets.
func (w *world) same(when string) {
	w.t.Helper()
	for _, who := range []string{"alice", "rita", "walt"} {
		w.user = who + "@example.org"
		got, want := w.listed(HomeHref(w.people[who].Account, holdfast.HomeFiles), nil), w.lines(who)
		if slices.Sort(got); !slices.Equal(got, want) {
			w.t.Fatalf("%s: %s sees\n%s\nwant\n%s", when, who, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, line := range got {
			if href, etag, ok := strings.Cut(line, ` "`); ok {
				if b := w.want(200, "GET", href, "").body; etagText(holdfast.HashOf([]byte(b))) != `"`+strings.SplitAfter(etag, `"`)[0] {
					w.t.Fatalf("%s: %s holds other octets than its ETag says", when, href)
				}
			}
		}
		for other := range w.people { // nobody's tree opens by its own address to anybody else
			if other != who {
				w.want(403, "PROPFIND", HomeHref(w.people[other].Account, holdfast.HomeFiles), "", "Depth: 1")
			}
		}
	}
}

// TestSharedFoldersAgainstTheModel does random things by an owner and two guests, who share with each other too, and compares what each of them sees and may do with a simple model; clients that keep up
// by sync-collection have at any time what a listing has. In the end the owner goes back to what was half-way, whatever the guests did since.
func TestSharedFoldersAgainstTheModel(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		w := &world{circle: newCircle(t, large, locking, func(o *core.Options, _ *Options) { o.Limits.Inline = 64 }), rng: rand.New(rand.NewPCG(seed, 51)), trees: map[string]*node{}}
		var mirrors []*mirror
		for _, who := range []string{"alice", "rita", "walt"} {
			w.trees[who] = folder()
			w.trees[who].children["Photos"] = folder()
			for _, at := range []string{"", "a/", "b/", "a%20(alice@example.org)/"} {
				mirrors = append(mirrors, &mirror{who: who, href: HomeHref(w.people[who].Account, holdfast.HomeFiles) + at})
			}
		}
		const steps = 500
		var half time.Time
		var was []string
		for step := range steps {
			when := fmt.Sprintf("seed %d, step %d", seed, step)
			w.step(when)
			if m := mirrors[w.rng.IntN(len(mirrors))]; w.rng.IntN(2) == 0 {
				w.user = m.who + "@example.org"
				w.sync(when, m, w.rng.IntN(4), w.rng.IntN(3) == 0)
			}
			if step%20 == 19 {
				w.same(when)
			}
			if step == steps/2 {
				half, was = w.clock.Now(), w.lines("alice")
				w.clock.Advance(time.Minute)
			}
		}
		past, err := w.core.Past(t.Context(), w.people["alice"], w.alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		done, err := past.Rewind(t.Context(), core.RewindRequest{To: half}, nil)
		if err != nil || len(done.Left) > 0 {
			t.Fatalf("seed %d: %v, left %v", seed, err, done.Left)
		}
		w.user = "alice@example.org"
		got := w.listed(HomeHref(w.alice.ID, holdfast.HomeFiles), nil)
		if slices.Sort(got); !slices.Equal(got, was) {
			t.Fatalf("seed %d: half-way alice had\n%s\nand has\n%s", seed, strings.Join(was, "\n"), strings.Join(got, "\n"))
		}
	}
}
