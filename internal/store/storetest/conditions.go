package storetest

import (
	"fmt"

	"holdfast"
)

// conditionTests are the preconditions of entries and groups (S3).
var conditionTests = []clause{
	{"S3_IfMatchAndIfNoneMatch", testPreconditions},
	{"S3_PreconditionsSeeEarlierEntries", testPreconditionsInGroup},
	{"S3_PreconditionOnASeq", testPreconditionSeq},
	{"S3_PreconditionOnBareness", testBare},
	{"S3_TheIfHeader", testIf},
}

func testPreconditions(k *kit) {
	k.do(k.put("live.vcf", "1"), k.put("gone.vcf", "1"))
	k.do(k.m.Delete(k.a.Book, "gone.vcf"))
	cur, other := k.resource("live.vcf").ETag, holdfast.HashOf([]byte("other"))
	was := holdfast.HashOf(Card("uid-gone.vcf", "gone.vcf", "1"))
	type hashes = []holdfast.Hash
	cases := []struct {
		name string
		p    holdfast.Precondition
		want holdfast.ErrorKind // Internal: it holds
	}{
		{"live.vcf", holdfast.Precondition{Exists: holdfast.Present}, 0},
		{"live.vcf", holdfast.Precondition{Exists: holdfast.Absent}, holdfast.PreconditionFailed},
		{"live.vcf", holdfast.Precondition{Match: hashes{cur}}, 0},
		{"live.vcf", holdfast.Precondition{Match: hashes{other, cur}}, 0},
		{"live.vcf", holdfast.Precondition{Match: hashes{other}}, holdfast.PreconditionFailed},
		{"live.vcf", holdfast.Precondition{NoneMatch: hashes{other}}, 0},
		{"live.vcf", holdfast.Precondition{NoneMatch: hashes{other, cur}}, holdfast.PreconditionFailed},
		{"live.vcf", holdfast.Precondition{Match: hashes{cur}, NoneMatch: hashes{cur}}, holdfast.PreconditionFailed},
	}
	for _, name := range []string{"gone.vcf", "never.vcf"} {
		for _, c := range []struct {
			p    holdfast.Precondition
			want holdfast.ErrorKind
		}{
			{holdfast.Precondition{Exists: holdfast.Present}, holdfast.NotFound},
			{holdfast.Precondition{Match: hashes{was}}, holdfast.NotFound},
			{holdfast.Precondition{Match: hashes{{}}}, holdfast.NotFound},
			{holdfast.Precondition{Match: hashes{was}, Exists: holdfast.Absent}, holdfast.NotFound},
			{holdfast.Precondition{Exists: holdfast.Absent}, 0},
			{holdfast.Precondition{NoneMatch: hashes{was, {}}}, 0},
			{holdfast.Precondition{Seq: 999}, holdfast.PreconditionFailed},
		} {
			cases = append(cases, struct {
				name string
				p    holdfast.Precondition
				want holdfast.ErrorKind
			}{name, c.p, c.want})
		}
	}
	for i, c := range cases {
		e := k.put(c.name, fmt.Sprint("new ", i))
		e.If = c.p
		if c.want != 0 {
			k.refuses(c.want, c.name, e)
			continue
		}
		// It holds: so the group is taken. Another entry that takes it back leaves the ground as it was.
		d := k.m.Delete(k.a.Book, c.name)
		back := k.put(c.name, "1")
		if c.name != "live.vcf" {
			k.do(e, d)
		} else {
			k.do(e, back)
		}
	}
	e := k.m.Delete(k.a.Book, "live.vcf")
	e.If.Match = hashes{other}
	k.refuses(holdfast.PreconditionFailed, "live.vcf", e)
	e.If.Match = hashes{cur}
	k.do(e)
	e = k.m.Delete(k.a.Book, "live.vcf")
	e.If.NoneMatch = hashes{cur}
	k.refuses(holdfast.NotFound, "live.vcf", e)
}

func testPreconditionsInGroup(k *kit) {
	one, two, three := k.put("a.vcf", "1"), k.put("a.vcf", "2"), k.m.Delete(k.a.Book, "a.vcf")
	one.If.Exists = holdfast.Absent
	two.If.Match = []holdfast.Hash{holdfast.HashOf(one.Body)}
	three.If.Match = []holdfast.Hash{holdfast.HashOf(two.Body)}
	k.refuses(holdfast.NotFound, "a.vcf", two, one)
	k.refuses(holdfast.PreconditionFailed, "a.vcf", one, three)
	k.do(one, two, three)
	again := k.put("a.vcf", "1")
	again.If.Exists = holdfast.Absent
	k.do(again)
	if r := k.resource("a.vcf"); r.Seq != 8 {
		k.Errorf("seq %d, want 8", r.Seq)
	}
}

func testPreconditionSeq(k *kit) {
	k.do(k.put("a.vcf", "1"))
	with := func(e holdfast.Entry, seq uint64) holdfast.Entry { e.If.Seq = seq; return e }
	k.refuses(holdfast.PreconditionFailed, "a.vcf", with(k.put("a.vcf", "2"), 4))
	k.refuses(holdfast.PreconditionFailed, "a.vcf", with(k.put("a.vcf", "2"), 6))
	k.do(with(k.put("a.vcf", "2"), 5), with(k.put("a.vcf", "3"), 6), with(k.m.Delete(k.a.Book, "a.vcf"), 7))
	// A tombstone was left by a change, too.
	k.refuses(holdfast.PreconditionFailed, "a.vcf", with(k.put("a.vcf", "4"), 7))
	k.do(with(k.put("a.vcf", "4"), 8))
	own := k.collection(k.a.Book)
	k.refuses(holdfast.PreconditionFailed, "", with(k.m.Collection(k.a.Book, k.a.Home, "x", holdfast.TypeAddressbook), own.Seq))
	k.do(with(k.m.Collection(k.a.Book, k.a.Home, "x", holdfast.TypeAddressbook), 4))
}

func testBare(k *kit) {
	bare := func(e holdfast.Entry) holdfast.Entry { e.If.Bare = true; return e }
	dressed := k.put("a.vcf", "2")
	dressed.Properties = holdfast.Properties{{Space: "a", Local: "a", XML: []byte("<a/>")}}
	k.do(bare(k.put("a.vcf", "1")), bare(dressed))
	for _, e := range []holdfast.Entry{k.put("a.vcf", "3"), dressed, k.m.Delete(k.a.Book, "a.vcf")} {
		g := k.group(bare(e))
		k.refuse(holdfast.PreconditionFailed, "a.vcf", g)
		if got := outcome(k.h.Engine.Commit(k.Context(), g)); got != "error precondition failed "+holdfast.RuleBare {
			k.Errorf("%s: %s, want the rule %s", about(g), got, holdfast.RuleBare)
		}
	}
	// Where something else fails too, that is what the error tells.
	e := bare(k.put("a.vcf", "3"))
	e.If.Exists = holdfast.Absent
	if got := outcome(k.h.Engine.Commit(k.Context(), k.group(e))); got != "error precondition failed" {
		k.Errorf("bare and absent: %s, want no rule", got)
	}
	k.do(k.m.Delete(k.a.Book, "a.vcf"))
	k.do(bare(k.put("a.vcf", "4")), bare(k.m.Delete(k.a.Book, "a.vcf")))
}

func testIf(k *kit) {
	k.do(k.put("a.vcf", "1"), k.put("gone.vcf", "1"))
	k.do(k.m.Delete(k.a.Book, "gone.vcf"))
	etag, other := k.resource("a.vcf").ETag, holdfast.HashOf([]byte("other"))
	type C = holdfast.Condition
	is := func(h holdfast.Hash, name string) C { return C{Collection: k.a.Book, Name: name, ETag: &h} }
	not := func(c C) C { c.Not = true; return c }
	seq := func(n uint64) C { return C{Collection: k.a.Book, Seq: n} }
	yes, no := C{Const: true, Value: true}, C{Const: true}
	for i, c := range []struct {
		lists [][]C
		want  bool
	}{
		{[][]C{{yes}}, true}, {[][]C{{no}}, false}, {[][]C{{not(yes)}}, false}, {[][]C{{not(no)}}, true},
		{[][]C{{yes, no}}, false}, {[][]C{{no}, {yes}}, true}, {[][]C{{no, yes}, {yes, no}}, false},
		{[][]C{{is(etag, "a.vcf")}}, true}, {[][]C{{is(other, "a.vcf")}}, false}, {[][]C{{not(is(other, "a.vcf"))}}, true},
		{[][]C{{is(etag, "never.vcf")}}, false}, {[][]C{{is(holdfast.Hash{}, "gone.vcf")}}, false}, {[][]C{{not(is(etag, "gone.vcf"))}}, true},
		{[][]C{{is(etag, "a.vcf"), yes}}, true},
		{[][]C{{{Collection: k.m.ID(), Name: "a.vcf", ETag: &etag}}}, false},
		{[][]C{{{Collection: k.m.ID(), Seq: 7}}}, false},
	} {
		g := k.group(k.put("x.vcf", fmt.Sprint(i)))
		g.If = c.lists
		if c.want {
			k.commit(g)
		} else {
			k.refuse(holdfast.PreconditionFailed, "", g)
		}
	}
	at := k.collection(k.a.Book).Seq
	g := k.group(k.put("x.vcf", "seq"))
	g.If = [][]C{{seq(at - 1)}}
	k.refuse(holdfast.PreconditionFailed, "", g)
	// It is judged against the state before the group, not between its entries.
	g = k.group(k.put("a.vcf", "2"), k.put("x.vcf", "both"))
	g.If = [][]C{{seq(at), is(etag, "a.vcf")}}
	k.commit(g)
	k.refuse(holdfast.PreconditionFailed, "", g)
}
