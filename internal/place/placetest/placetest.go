// Package placetest is the one suite for all kinds of places.
package placetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast"
	"holdfast/internal/place"
)

// Run runs the suite. open returns an empty place.
func Run(t *testing.T, open func(*testing.T) place.Place) {
	for _, x := range []struct {
		name string
		test func(*testing.T, place.Place)
	}{
		{"Put", put}, {"PutReadsToTheEnd", putReads}, {"Append", appendAtEnd}, {"Get", ranges}, {"List", list}, {"LastAndEach", lastAndEach}, {"Remove", remove}, {"Names", names}, {"Concurrently", concurrently}, {"Random", random},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := open(t)
			x.test(t, p)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

var ctx = context.Background()

func want(t *testing.T, what string, err error, kind holdfast.ErrorKind) {
	t.Helper()
	if !holdfast.IsKind(err, kind) {
		t.Fatalf("%s: %v, want %v", what, err, kind)
	}
}

func fine(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func read(t *testing.T, p place.Place, name string) string {
	t.Helper()
	b, err := place.ReadAll(ctx, p, name, 1<<20)
	fine(t, "read "+name, err)
	return string(b)
}

func put(t *testing.T, p place.Place) {
	for _, text := range []string{"", "x", "ends in zeros\x00\x00", strings.Repeat("long ", 100_000)} {
		name := fmt.Sprintf("heads/%d", len(text))
		fine(t, "put", p.Put(ctx, name, strings.NewReader(text)))
		fine(t, "the same again", p.Put(ctx, name, strings.NewReader(text)))
		want(t, "others", p.Put(ctx, name, strings.NewReader(text+"y")), holdfast.Exists)
		if got := read(t, p, name); got != text {
			t.Fatalf("%d octets came back as %d", len(text), len(got))
		}
		i, err := p.Stat(ctx, name)
		now, err2 := p.Now(ctx)
		if err != nil || err2 != nil || i.Size != int64(len(text)) || i.Name != name || now.Sub(i.Made).Abs().Hours() > 1 {
			t.Fatalf("stat: %+v at %v, %v, %v", i, now, err, err2)
		}
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func putReads(t *testing.T, p place.Place) {
	why := errors.New("the source broke")
	if err := p.Put(ctx, "pages/1.pack", io.MultiReader(strings.NewReader("half"), broken{why})); !errors.Is(err, why) {
		t.Fatalf("a source that breaks: %v", err)
	}
	_, err := p.Stat(ctx, "pages/1.pack")
	want(t, "half of an object", err, holdfast.NotFound)
	fine(t, "put afterwards", p.Put(ctx, "pages/1.pack", strings.NewReader("whole")))
}

func appendAtEnd(t *testing.T, p place.Place) {
	name := "tail/1/1.frames"
	fine(t, "begin", p.Append(ctx, name, 0, []byte("one\n")))
	fine(t, "go on", p.Append(ctx, name, 4, []byte("two\n")))
	want(t, "begin again", p.Append(ctx, name, 0, []byte("three")), holdfast.Exists)
	for _, at := range []int64{1, 4, 7, 9, 1 << 40} {
		want(t, fmt.Sprintf("append at %d of 8", at), p.Append(ctx, name, at, []byte("three")), holdfast.PreconditionFailed)
	}
	want(t, "go on with what is not there", p.Append(ctx, "tail/1/2.frames", 3, []byte("x")), holdfast.PreconditionFailed)
	for what, bad := range map[string]error{
		"nothing": p.Append(ctx, name, 8, nil), "a zero at the end": p.Append(ctx, name, 8, []byte("x\x00")),
		"before the beginning": p.Append(ctx, name, -1, []byte("x")),
	} {
		want(t, what, bad, holdfast.Invalid)
	}
	big := bytes.Repeat([]byte("0123456789\x00\n"), 200_000)
	fine(t, "a big one", p.Append(ctx, name, 8, big))
	r, err := p.Get(ctx, name, 0, -1)
	fine(t, "get", err)
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "one\ntwo\n"+string(big) {
		t.Fatalf("%d octets came back, %v", len(got), err)
	}
	if i, err := p.Stat(ctx, name); err != nil || i.Size != int64(8+len(big)) {
		t.Fatalf("stat: %+v, %v", i, err)
	}
}

func ranges(t *testing.T, p place.Place) {
	fine(t, "put", p.Put(ctx, "vault.json", strings.NewReader("0123456789")))
	for _, x := range []struct {
		at, n int64
		want  string
	}{{0, -1, "0123456789"}, {3, 4, "3456"}, {8, 9, "89"}, {10, 1, ""}, {11, -1, ""}, {4, 0, ""}, {1 << 40, 5, ""}} {
		r, err := p.Get(ctx, "vault.json", x.at, x.n)
		fine(t, "get", err)
		b, err := io.ReadAll(r)
		if err != nil || string(b) != x.want {
			t.Fatalf("%d octets at %d: %q, %v", x.n, x.at, b, err)
		}
		fine(t, "close", r.Close())
	}
	_, err := p.Get(ctx, "vault.jso", 0, -1)
	want(t, "what is not there", err, holdfast.NotFound)
	r, err := p.Get(ctx, "vault.json", 0, -1) // a reader that is given up
	fine(t, "get", err)
	fine(t, "close", r.Close())
}

func names(t *testing.T, p place.Place) {
	for _, bad := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "a b", "a\\b", "ä", "a\x00", "a~", strings.Repeat("a", 201)} {
		want(t, bad, p.Put(ctx, bad, strings.NewReader("x")), holdfast.Invalid)
	}
	want(t, "put of a growing name", p.Put(ctx, "tail/1.frames", strings.NewReader("x")), holdfast.Invalid)
	want(t, "append to another", p.Append(ctx, "tail/1", 0, []byte("x")), holdfast.Invalid)
	fine(t, "a long one", p.Put(ctx, strings.Repeat("a", 200), strings.NewReader("x")))
}

func listed(t *testing.T, p place.Place, prefix, after string) (names []string) {
	t.Helper()
	fine(t, "list", p.List(ctx, prefix, after, func(i place.Info) error { names = append(names, i.Name); return nil }))
	return names
}

func list(t *testing.T, p place.Place) {
	all := []string{"HOLDFAST.txt", "a", "a-b/c", "a.b", "a/b", "a/b-c", "a/b/c", "a/b0", "a0", "b/1", "b/10", "b/2"}
	for _, name := range []string{"a", "a-b/c", "a.b", "a0", "b/10", "b/2", "b/1", "HOLDFAST.txt"} {
		fine(t, "put", p.Put(ctx, name, strings.NewReader(name)))
	}
	all = slices.DeleteFunc(all, func(s string) bool { return strings.HasPrefix(s, "a/") }) // "a" is an object; a file system has no directory of that name
	for _, prefix := range []string{"", "a", "a-", "a-b/", "b/", "b/1", "c", "H"} {
		for _, after := range append([]string{"", "a/", "b/", "zzz"}, all...) {
			var wanted []string
			for _, n := range all {
				if strings.HasPrefix(n, prefix) && n > after {
					wanted = append(wanted, n)
				}
			}
			if got := listed(t, p, prefix, after); !slices.Equal(got, wanted) {
				t.Fatalf("prefix %q after %q: %q, want %q", prefix, after, got, wanted)
			}
		}
	}
	enough := errors.New("enough")
	n := 0
	if err := p.List(ctx, "", "", func(place.Info) error { n++; return enough }); !errors.Is(err, enough) || n != 1 {
		t.Fatalf("a listing that is given up: %v after %d", err, n)
	}
}

// lastAndEach looks for the last of many objects, and reads all of them.
func lastAndEach(t *testing.T, p place.Place) {
	if _, ok, err := place.Last(ctx, p, "heads/"); ok || err != nil {
		t.Fatalf("the last of none: %v, %v", ok, err)
	}
	octets := map[string]string{}
	for i := range 1203 { // more than a page of any kind of place
		name := fmt.Sprintf("heads/%05d", i*7)
		octets[name] = strings.Repeat(fmt.Sprint("head ", i, "\n"), 1+i%3)
	}
	octets["heads/00000"], octets["heads/00007"] = "", strings.Repeat("large", 40_000)
	for name, text := range octets {
		fine(t, "put", p.Put(ctx, name, strings.NewReader(text)))
	}
	fine(t, "put", p.Put(ctx, "heads-of-others/9", strings.NewReader("x")))
	if i, ok, err := place.Last(ctx, p, "heads/"); err != nil || !ok || i.Name != fmt.Sprintf("heads/%05d", 1202*7) {
		t.Fatalf("the last: %v, %v, %v", i, ok, err)
	}
	last := "heads/00007"
	n := 0
	fine(t, "each", place.ReadEach(ctx, p, "heads/", last, 100_000, func(name string, b []byte, err error) error {
		if err != nil || name <= last || string(b) != octets[name] {
			t.Fatalf("%s after %s: %d octets, %v", name, last, len(b), err)
		}
		last, n = name, n+1
		return nil
	}))
	if n != 1201 {
		t.Fatalf("%d were read", n)
	}
	fine(t, "each", place.ReadEach(ctx, p, "heads/0000", "", 100_000, func(name string, b []byte, err error) error {
		if name == "heads/00007" != holdfast.IsKind(err, holdfast.TooLarge) || name == "heads/00000" && (err != nil || len(b) != 0) {
			t.Fatalf("%s: %d octets, %v", name, len(b), err)
		}
		return nil
	}))
}

func remove(t *testing.T, p place.Place) {
	want(t, "what is not there", p.Remove(ctx, "keys/1/2/3"), holdfast.NotFound)
	fine(t, "put", p.Put(ctx, "keys/1/2/3", strings.NewReader("x")))
	fine(t, "remove", p.Remove(ctx, "keys/1/2/3"))
	_, err := p.Stat(ctx, "keys/1/2/3")
	want(t, "stat", err, holdfast.NotFound)
	want(t, "remove again", p.Remove(ctx, "keys/1/2/3"), holdfast.NotFound)
	want(t, "a directory", p.Remove(ctx, "keys/1/2"), holdfast.NotFound)
	fine(t, "append", p.Append(ctx, "tail/1.frames", 0, []byte("x")))
	fine(t, "remove", p.Remove(ctx, "tail/1.frames"))
	fine(t, "begin anew", p.Append(ctx, "tail/1.frames", 0, []byte("yz")))
	if got := read(t, p, "tail/1.frames"); got != "yz" {
		t.Fatalf("%q", got)
	}
	if got := listed(t, p, "keys/", ""); got != nil {
		t.Fatalf("%q is left", got)
	}
}

func concurrently(t *testing.T, p place.Place) {
	var all sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 8 {
		all.Go(func() {
			if p.Put(ctx, "terms/1", strings.NewReader(fmt.Sprint("term of ", i))) == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
			name, at := fmt.Sprintf("tail/%d.frames", i), int64(0)
			for n := range 20 {
				b := fmt.Appendf(nil, "%d of %d\n", n, i)
				if err := p.Append(ctx, name, at, b); err != nil {
					t.Error(err)
					return
				}
				at += int64(len(b))
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d of 8 made the same object", won)
	}
	for i := range 8 {
		if got := read(t, p, fmt.Sprintf("tail/%d.frames", i)); strings.Count(got, "\n") != 20 {
			t.Errorf("%q", got)
		}
	}
}

// random compares the place with a map.
func random(t *testing.T, p place.Place) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	model := map[string]string{}
	for i := range 600 {
		name := fmt.Sprintf("d%d/%d", r.IntN(4), r.IntN(12))
		where := fmt.Sprintf("seed %d, step %d, %s", seed, i, name)
		switch old, there := model[name], false; r.IntN(4) {
		case 0:
			_, there = model[name]
			text := fmt.Sprint(r.IntN(3))
			err := p.Put(ctx, name, strings.NewReader(text))
			if there && old != text {
				want(t, where, err, holdfast.Exists)
			} else {
				fine(t, where, err)
				model[name] = text
			}
		case 1:
			name += place.Grows
			old = model[name]
			text := fmt.Sprint("line ", i, "\n")
			fine(t, where, p.Append(ctx, name, int64(len(old)), []byte(text)))
			model[name] = old + text
		case 2:
			if r.IntN(2) == 0 {
				name += place.Grows
			}
			if _, there = model[name]; there {
				if got := read(t, p, name); got != model[name] {
					t.Fatalf("%s: %q, want %q", where, got, model[name])
				}
			}
		case 3:
			if r.IntN(3) == 0 {
				_, there = model[name]
				err := p.Remove(ctx, name)
				if there {
					fine(t, where, err)
				} else {
					want(t, where, err, holdfast.NotFound)
				}
				delete(model, name)
			}
		}
	}
	var wanted []string
	for n := range model {
		wanted = append(wanted, n)
	}
	slices.Sort(wanted)
	if got := listed(t, p, "", ""); !slices.Equal(got, wanted) {
		t.Fatalf("seed %d: %q, want %q", seed, got, wanted)
	}
}
