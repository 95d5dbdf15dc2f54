package dav

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/davxml"
)

// node is a file or folder of the model: a folder has children.
type node struct {
	octets   string
	mood     string // a dead property
	children map[string]*node
}

func folder() *node { return &node{children: map[string]*node{}} }

func (n *node) clone() *node {
	c := &node{octets: n.octets, mood: n.mood}
	if n.children != nil {
		c.children = map[string]*node{}
		for name, child := range n.children {
			c.children[name] = child.clone()
		}
	}
	return c
}

// find returns what is at a path, and the folder that it is or would be in; nil for what is not there.
func (n *node) find(path []string) (parent, at *node) {
	for i, name := range path {
		if n == nil || n.children == nil {
			return nil, nil
		}
		if parent, n = n, n.children[name]; i == len(path)-1 {
			return parent, n
		}
	}
	return nil, n
}

// lines are all that is below a folder.
func (n *node) lines(at string, out []string) []string {
	for name, c := range n.children {
		if c.children == nil {
			out = append(out, at+encodeSegment(name)+" "+etagText(holdfast.HashOf([]byte(c.octets)))+" "+c.mood)
			continue
		}
		out = append(out, at+encodeSegment(name)+"/ "+c.mood)
		out = c.lines(at+encodeSegment(name)+"/", out)
	}
	return out
}

// names are of all kinds that a client may send. Some differ by what people cannot tell.
var names = []string{"a", "A", "b c", "caf\u00e9", "cafe\u0301", "100%", "x?y#z", "a&b<c>\"'", "\u202eevil", "\u200b", "con", "a.", " a", "a ", strings.Repeat("\u65e5", 85), "~", "%2e%2e", "&amp;", "]]>", "\U0001f600"}

// TestTreeAgainstTheModel does random things with a tree of files, and with a simple one in memory, and compares all of both.
func TestTreeAgainstTheModel(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		g := newRig(t, locking)
		rng := rand.New(rand.NewPCG(seed, 47))
		root := folder()
		root.children["Photos"] = folder() // which every account has
		mirrors := []*mirror{{href: g.files()}, {href: g.home(holdfast.HomeFiles, "a")}, {href: g.home(holdfast.HomeFiles, "caf\u00e9")}}
		for step := range 250 {
			what := g.treeStep(rng, root)
			if m := mirrors[rng.IntN(len(mirrors))]; rng.IntN(3) == 0 {
				g.sync(fmt.Sprintf("seed %d, step %d, after %s", seed, step, what), m, rng.IntN(4), rng.IntN(3) == 0)
			}
			if step%25 == 24 {
				g.sameTree(fmt.Sprintf("seed %d, step %d, after %s", seed, step, what), root)
			}
		}
	}
}

// anywhere picks a path that mostly leads somewhere.
func anywhere(rng *rand.Rand, root *node) (path []string) {
	n := root
	for len(path) < 4 {
		if n == nil || len(n.children) == 0 || rng.IntN(4) == 0 {
			return append(path, names[rng.IntN(len(names))])
		}
		name := slices.Sorted(maps.Keys(n.children))[rng.IntN(len(n.children))]
		if path, n = append(path, name), n.children[name]; rng.IntN(3) == 0 {
			return path
		}
	}
	return path
}

func (g *rig) treeStep(rng *rand.Rand, root *node) string {
	g.t.Helper()
	path := anywhere(rng, root)
	parent, at := root.find(path)
	href := strings.TrimSuffix(g.home(holdfast.HomeFiles, path...), "/")
	nowhere, isFolder := parent == nil || parent.children == nil, at != nil && at.children != nil
	if isFolder {
		href += "/"
	}
	expect := func(cases ...any) int { // pairs of a condition and a status; the last is the status otherwise
		for i := 0; i+1 < len(cases); i += 2 {
			if cases[i].(bool) {
				return cases[i+1].(int)
			}
		}
		return cases[len(cases)-1].(int)
	}
	switch op := rng.IntN(10); op {
	case 0, 1, 2:
		octets := fmt.Sprint(rng.IntN(1000))
		status := expect(nowhere, 409, isFolder, 405, at != nil, 204, 201)
		if at != nil && at.octets == octets {
			status = 204
		}
		g.want(status, "PUT", href, octets)
		if status < 300 {
			mood := ""
			if at != nil {
				mood = at.mood
			}
			parent.children[path[len(path)-1]] = &node{octets: octets, mood: mood}
		}
		return "PUT " + href
	case 3, 4:
		status := expect(nowhere, 409, at != nil, 405, 201)
		g.want(status, "MKCOL", href, "")
		if status == 201 {
			parent.children[path[len(path)-1]] = folder()
		}
		return "MKCOL " + href
	case 5:
		status := expect(at == nil, 404, 204)
		g.want(status, "DELETE", href, "")
		if at != nil {
			delete(parent.children, path[len(path)-1])
		}
		return "DELETE " + href
	case 6:
		mood := fmt.Sprint(rng.IntN(100))
		g.want(expect(at == nil, 404, 207), "PROPPATCH", href, `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><X:mood xmlns:X="urn:x">`+mood+`</X:mood></D:prop></D:set></D:propertyupdate>`)
		if at != nil {
			at.mood = mood
		}
		return "PROPPATCH " + href
	}
	return g.treeTransfer(rng, root, path, href)
}

// treeTransfer copies or moves.
func (g *rig) treeTransfer(rng *rand.Rand, root *node, path []string, href string) string {
	g.t.Helper()
	parent, at := root.find(path)
	to := anywhere(rng, root)
	there, old := root.find(to)
	dest := strings.TrimSuffix(g.home(holdfast.HomeFiles, to...), "/")
	method, overwrite := []string{"COPY", "MOVE"}[rng.IntN(2)], []string{"T", "F"}[rng.IntN(2)]
	n := min(len(path), len(to))
	status := 201
	switch {
	case at == nil:
		status = 404
	case there == nil || there.children == nil:
		status = 409
	case slices.Equal(path[:n], to[:n]):
		status = 403
	case old != nil && overwrite == "F":
		status = 412
	case old != nil:
		status = 204
	}
	r := g.do(method, href, "", "Destination: "+dest, "Overwrite: "+overwrite)
	what := fmt.Sprintf("%s %s to %s, Overwrite %s", method, href, dest, overwrite)
	if r.StatusCode != status && !(status >= 400 && r.StatusCode >= 400) { // of two reasons to refuse, either may be told
		g.t.Fatalf("%s: %d, want %d\n%s", what, r.StatusCode, status, r.body)
	}
	if status < 300 {
		there.children[to[len(to)-1]] = at.clone()
		if method == "MOVE" {
			delete(parent.children, path[len(path)-1])
		}
	}
	return what
}

// sameTree compares all that the server lists with the model, and each file's octets.
func (g *rig) sameTree(when string, root *node) {
	g.t.Helper()
	want := root.lines(g.files(), nil)
	got := g.listed(g.files(), nil)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		g.t.Fatalf("%s: the server has\n%s\nwant\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, line := range got {
		if href, etag, ok := strings.Cut(line, ` "`); ok {
			if b := g.want(http.StatusOK, "GET", href, "").body; etagText(holdfast.HashOf([]byte(b))) != `"`+strings.SplitAfter(etag, `"`)[0] {
				g.t.Fatalf("%s: %s holds other octets than its ETag says", when, href)
			}
		}
	}
}

// mirror is what a client has of one folder that it keeps up with by sync-collection: hrefs with their ETags.
type mirror struct {
	who         string // where there are several
	href, token string
	have        map[string]string
}

// sync brings a mirror up to date, in pages of limit (0: one), and compares it with a listing; or, to break off, takes one page and no more.
func (g *rig) sync(when string, m *mirror, limit int, breakOff bool) {
	g.t.Helper()
	is := g.do("PROPFIND", m.href, find("D:getetag"), "Depth: 1")
	if is.StatusCode != 207 || strings.Count(is.body, "<D:href>"+m.href+"</D:href>") != 1 { // there is none, or it is a file
		m.token, m.have = "", nil
		return
	}
	more := ""
	if limit > 0 {
		more = fmt.Sprintf("<D:limit><D:nresults>%d</D:nresults></D:limit>", limit)
	}
	for again := true; again; {
		if m.token == "" {
			m.have = map[string]string{}
		}
		r := g.do("REPORT", m.href, syncBody(m.token, more))
		if r.StatusCode == 403 && strings.Contains(r.body, "valid-sync-token") && m.token != "" {
			m.token = "" // another folder has its name
			continue
		}
		if r.StatusCode != 207 {
			g.t.Fatalf("%s: sync of %s: %d\n%s", when, m.href, r.StatusCode, r.body)
		}
		if again = g.take(m, r.body, limit); again && breakOff {
			return
		}
	}
	want := map[string]string{}
	for href, etag := range etagsOf(g.t, is.body) {
		if href != m.href {
			want[href] = etag
		}
	}
	if !maps.Equal(m.have, want) {
		g.t.Fatalf("%s: %s is mirrored as\n%v\nand is\n%v", when, m.href, m.have, want)
	}
}

// take takes one page; more tells that another one follows.
func (g *rig) take(m *mirror, body string, limit int) (more bool) {
	g.t.Helper()
	root, err := davxml.ParseBytes([]byte(body), davxml.Limits{Octets: 1 << 24, Elements: 1 << 20, Depth: 20, Props: 1000})
	if err != nil {
		g.t.Fatal(err)
	}
	told := 0
	for response := range root.All(davxml.DResponse) {
		href := response.Child(davxml.DHref).TrimText()
		status := response.Child(davxml.DStatus)
		switch {
		case status != nil && strings.Contains(status.TrimText(), "507"):
			more = true
			continue
		case status != nil:
			delete(m.have, href)
		}
		told++
	}
	for href, etag := range etagsOf(g.t, body) {
		delete(m.have, strings.TrimSuffix(href, "/")) // a folder in the place of a file
		delete(m.have, href+"/")
		m.have[href] = etag
	}
	if limit > 0 && m.who == "" && told > max(2, limit) { // the old name of a folder comes with the new one; what hangs in a home is told at once
		g.t.Errorf("%d were told, and %d asked for", told, limit)
	}
	m.token = root.Child(davxml.DSyncToken).TrimText()
	return more
}

// etagsOf reads the hrefs of a multistatus that are there, with their ETags.
func etagsOf(t testing.TB, body string) map[string]string {
	t.Helper()
	root, err := davxml.ParseBytes([]byte(body), davxml.Limits{Octets: 1 << 24, Elements: 1 << 20, Depth: 20, Props: 1000})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for response := range root.All(davxml.DResponse) {
		for p := range response.All(davxml.DPropstat) {
			href := response.Child(davxml.DHref).TrimText()
			if strings.Contains(p.Child(davxml.DStatus).TrimText(), "200") {
				out[href] = p.Child(davxml.DProp).Child(davxml.DGetETag).TrimText()
			} else if out[href] == "" {
				out[href] = ""
			}
		}
	}
	return out
}

// listed walks the tree as a client does, folder by folder.
func (g *rig) listed(href string, out []string) []string {
	g.t.Helper()
	r := g.want(207, "PROPFIND", href, find("D:getetag", "D:resourcetype", "X:mood"), "Depth: 1")
	root, err := davxml.ParseBytes([]byte(r.body), davxml.Limits{Octets: 1 << 24, Elements: 1 << 20, Depth: 20, Props: 1000})
	if err != nil {
		g.t.Fatal(err)
	}
	for response := range root.All(davxml.DResponse) {
		at := response.Child(davxml.DHref).TrimText()
		if at == href {
			continue
		}
		etag, mood := "", ""
		for p := range response.All(davxml.DPropstat) {
			if strings.Contains(p.Child(davxml.DStatus).TrimText(), "200") {
				etag = p.Child(davxml.DProp).Child(davxml.DGetETag).TrimText()
				mood = p.Child(davxml.DProp).Child(davxml.Name{Space: "urn:x", Local: "mood"}).TrimText()
			}
		}
		if strings.HasSuffix(at, "/") {
			out = append(out, at+" "+mood)
			out = g.listed(at, out)
			continue
		}
		out = append(out, at+" "+etag+" "+mood)
	}
	return out
}

// TestNamesThatAreNone are refused, in whatever way they are spelled, and nothing is made.
func TestNamesThatAreNone(t *testing.T) {
	g := newRig(t)
	for _, name := range []string{"..", "%2e%2e", ".", "%2E", "a%2Fb", "a%5Cb", "%00", "a%0Ab", "%7F", "%C2%85", "%FF", "%C0%AF", "%ED%A0%80", "%EF%BF%BD", strings.Repeat("n", 256), strings.Repeat("%E6%97%A5", 86)} {
		for _, x := range [][]string{{"PUT", "x"}, {"MKCOL", ""}, {"LOCK", ""}} {
			if r := g.do(x[0], g.files()+name, x[1]); r.StatusCode < 400 || r.StatusCode >= 500 {
				t.Errorf("%s %s: %d", x[0], name, r.StatusCode)
			}
		}
		g.want(201, "PUT", g.files()+"a", "x")
		if r := g.do("COPY", g.files()+"a", "", "Destination: "+g.files()+name); r.StatusCode < 400 || r.StatusCode >= 500 {
			t.Errorf("COPY to %s: %d", name, r.StatusCode)
		}
		g.want(204, "DELETE", g.files()+"a", "")
	}
	if left := g.listed(g.files(), nil); len(left) != 1 { // the folder for photos, which was there before
		t.Errorf("there are %q", left)
	}
}
