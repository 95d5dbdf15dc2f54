package davxml

import "testing"

// TestStandalone takes the first child of the root's first child and writes it as a fragment.
func TestStandalone(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"inherited prefix", `<D:a xmlns:D="DAV:" xmlns:Z="urn:z"><D:p><Z:x>v</Z:x></D:p></D:a>`,
			`<Z:x xmlns:Z="urn:z">v</Z:x>`},
		{"inherited default", `<a xmlns="DAV:"><p><x><y/></x></p></a>`,
			`<x xmlns="DAV:"><y/></x>`},
		{"no namespace", `<D:a xmlns:D="DAV:"><D:p><x/></D:p></D:a>`, `<x/>`},
		{"undeclared default", `<a xmlns="DAV:"><p><x xmlns=""><y/></x></p></a>`, `<x xmlns=""><y/></x>`},
		{"undeclared above", `<a xmlns="DAV:"><p xmlns=""><x><y/></x></p></a>`, `<x xmlns=""><y/></x>`},
		{"undeclared inside", `<a xmlns="DAV:"><p><x xmlns="urn:u"><y xmlns=""><z/></y></x></p></a>`,
			`<x xmlns="urn:u"><y xmlns=""><z/></y></x>`},
		{"needed only below", `<a xmlns:q="urn:q"><p><x><y q:b="1"/></x></p></a>`, `<x xmlns:q="urn:q"><y q:b="1"/></x>`},
		{"shadowed below", `<a xmlns:q="urn:q"><p><q:x><q:y xmlns:q="urn:r"/><q:z/></q:x></p></a>`,
			`<q:x xmlns:q="urn:q"><q:y xmlns:q="urn:r"/><q:z/></q:x>`},
		{"shadowed at it", `<a xmlns:q="urn:q"><p xmlns:q="urn:r"><q:x/></p></a>`, `<q:x xmlns:q="urn:r"/>`},
		{"inherited language", `<a xml:lang="fr"><p><x>v</x></p></a>`, `<x xml:lang="fr">v</x>`},
		{"own language", `<a xml:lang="fr"><p><x xml:lang="de">v</x></p></a>`, `<x xml:lang="de">v</x>`},
		{"ended language", `<a xml:lang="fr"><p xml:lang=""><x>v</x></p></a>`, `<x>v</x>`},
		{"mixed content", `<a><p><x> one <b>two</b> three <i/><i/>four
</x></p></a>`, `<x> one <b>two</b> three <i/><i/>four
</x>`},
		{"qualified name in text", `<a xmlns:q="urn:q" xmlns:n="urn:n"><p><x><t>q:name</t></x></p></a>`,
			`<x xmlns:q="urn:q"><t>q:name</t></x>`},
		{"qualified name in an attribute", `<a xmlns:xs="urn:xs"><p><x type="(xs:int)"/></p></a>`,
			`<x xmlns:xs="urn:xs" type="(xs:int)"/>`},
		{"qualified name behind a child", `<a xmlns:q="urn:q"><p><x><b/>a q:b</x></p></a>`,
			`<x xmlns:q="urn:q"><b/>a q:b</x>`},
		{"declared and unused", `<a><p><x xmlns:q="urn:q"><y xmlns:r="urn:r"/></x></p></a>`,
			`<x xmlns:q="urn:q"><y xmlns:r="urn:r"/></x>`},
		{"escapes", `<a><p><x b="&lt;&quot;&#9;&#10;&#13;>&amp;'">&lt;]]&gt;&#13;<![CDATA[&]]></x></p></a>`,
			`<x b="&lt;&#34;&#9;&#10;&#13;&gt;&amp;'">&lt;]]&gt;&#13;&amp;</x>`},
		{"comment and instruction", `<a><p><x>1<!-- c -->2<?p?>3</x></p></a>`, `<x>123</x>`},
		{"high values", "<a><p><x>\U00010000\U0010FFFD</x></p></a>", "<x>\U00010000\U0010FFFD</x>"},
		{"high values as references", `<a><p><x>&#65536;&#xe9;</x></p></a>`, "<x>\U00010000é</x>"},
	} {
		x := mustParse(t, c.in).Children[0].Children[0]
		got := string(x.Standalone())
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
		checkRoundTrip(t, x)
		again := mustParse(t, `<D:m xmlns:D="DAV:">`+got+`</D:m>`).Children[0]
		if again.Name != x.Name || string(again.Standalone()) != got {
			t.Errorf("%s: inside another document it became %s", c.what, again.Standalone())
		}
	}
}

// checkRoundTrip writes an element as a fragment and reads it again: the same tree, the same fragment.
func checkRoundTrip(t *testing.T, e *Element) {
	t.Helper()
	fragment := e.Standalone()
	again, err := ParseBytes(fragment, Limits{Octets: 1 << 30, Namespaces: 1000, Attrs: 1000})
	if err != nil {
		t.Fatalf("the fragment %q of %s cannot be read: %v", fragment, dump(e), err)
	}
	if _, own := e.Attr(NSXML, "lang"); !own && e.Lang != "" {
		if lang, ok := again.Attr(NSXML, "lang"); !ok || lang != e.Lang {
			t.Fatalf("the fragment %q lost the language %q", fragment, e.Lang)
		}
		again.Attrs = again.Attrs[1:] // the inherited language is written first
		if len(again.Attrs) == 0 {
			again.Attrs = nil
		}
	}
	if !equal(e, again) {
		t.Fatalf("the fragment %q reads as\n%s\nnot as\n%s", fragment, dump(again), dump(e))
	}
	if reread, _ := ParseBytes(fragment, Limits{Octets: 1 << 30, Namespaces: 1000, Attrs: 1000}); string(reread.Standalone()) != string(fragment) {
		t.Fatalf("the fragment %q becomes %q when it is written again", fragment, reread.Standalone())
	}
}

// equal compares all that RFC 4918, section 4.3, wants kept, and the prefixes.
func equal(a, b *Element) bool {
	if a.Name != b.Name || a.prefix != b.prefix || a.Text != b.Text || a.Lang != b.Lang || a.head != b.head ||
		len(a.Attrs) != len(b.Attrs) || len(a.Children) != len(b.Children) {
		return false
	}
	for i := range a.Attrs {
		if a.Attrs[i] != b.Attrs[i] {
			return false
		}
	}
	for i := range a.Children {
		if a.Children[i].tail != b.Children[i].tail || !equal(a.Children[i], b.Children[i]) {
			return false
		}
	}
	return true
}
