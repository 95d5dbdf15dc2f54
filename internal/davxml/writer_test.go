package davxml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const wantRoot207 = `<?xml version="1.0" encoding="utf-8"?>` + "\n" +
	`<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/">`

func TestMultistatus(t *testing.T) {
	var out bytes.Buffer
	m := NewMultistatus(&out)
	m.Response("/a.vcf")
	m.Propstat(200)
	m.Element(DGetETag, `"1"`)
	m.Start(DResourceType)
	m.Empty(DCollection)
	m.Empty(CRAddressbook)
	m.End()
	m.Href(DOwner, "/p/7/")
	m.Raw([]byte(`<x xmlns="urn:x">v</x>`))
	m.Propstat(403, Condition{Name: DCannotModifyProtectedProperty})
	m.Empty(CSGetCTag)
	m.Response("/empty")
	m.Status("/gone&", 404)
	m.Status("/more/", 507, Condition{Name: DNumberOfMatchesWithinLimits})
	m.Status("/no", 403, NeedPrivilege("/no", DRead))
	m.Status("/odd", 299)
	m.SyncToken("urn:t")
	m.Description("so & so")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	want := wantRoot207 +
		`<D:response><D:href>/a.vcf</D:href>` +
		`<D:propstat><D:prop><D:getetag>"1"</D:getetag><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype>` +
		`<D:owner><D:href>/p/7/</D:href></D:owner><x xmlns="urn:x">v</x></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>` +
		`<D:propstat><D:prop><CS:getctag/></D:prop><D:status>HTTP/1.1 403 Forbidden</D:status><D:error><D:cannot-modify-protected-property/></D:error></D:propstat>` +
		`</D:response>` +
		`<D:response><D:href>/empty</D:href><D:propstat><D:prop/><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>` +
		`<D:response><D:href>/gone&amp;</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>` +
		`<D:response><D:href>/more/</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status><D:error><D:number-of-matches-within-limits/></D:error></D:response>` +
		`<D:response><D:href>/no</D:href><D:status>HTTP/1.1 403 Forbidden</D:status><D:error><D:need-privileges><D:resource><D:href>/no</D:href><D:privilege><D:read/></D:privilege></D:resource></D:need-privileges></D:error></D:response>` +
		`<D:response><D:href>/odd</D:href><D:status>HTTP/1.1 299 </D:status></D:response>` +
		`<D:sync-token>urn:t</D:sync-token><D:responsedescription>so &amp; so</D:responsedescription></D:multistatus>`
	// An empty DAV:prop may be written either way.
	got := strings.ReplaceAll(out.String(), "<D:prop></D:prop>", "<D:prop/>")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := ParseBytes(out.Bytes(), Limits{}); err != nil {
		t.Errorf("the answer is not well-formed: %v", err)
	}
}

// TestMultistatusNeverClosedAfterFailure is the promise that keeps phones from being emptied: whatever fails, and
// whatever is called afterwards, no well-formed document leaves.
func TestMultistatusNeverClosedAfterFailure(t *testing.T) {
	broken := errors.New("the engine is gone")
	for what, fail := range map[string]func(m *Multistatus){
		"failed by the caller":  func(m *Multistatus) { m.Fail(broken) },
		"failed without reason": func(m *Multistatus) { m.Fail(nil) },
		"element left open":     func(m *Multistatus) { m.Start(DOwner); m.Response("/b") },
		"element left at close": func(m *Multistatus) { m.Start(DOwner) },
		"one end too many":      func(m *Multistatus) { m.End(); m.Propstat(200) },
		"all ended by hand":     func(m *Multistatus) { m.End(); m.End(); m.End(); m.End() },
		"propstat at the root":  func(m *Multistatus) { m.SyncToken("t"); m.Propstat(200) },
	} {
		var out bytes.Buffer
		m := NewMultistatus(&out)
		for range 2000 {
			m.Response("/a")
			m.Propstat(200)
			m.Element(DGetETag, `"1"`)
		}
		fail(m)
		if err := m.Close(); err == nil {
			t.Errorf("%s: Close succeeded", what)
		}
		m.Response("/c")
		m.Flush()
		m.Close()
		if out.Len() < flushAt {
			t.Fatalf("%s: the test is to fail in the middle of a stream, but only %d octets were out", what, out.Len())
		}
		if _, err := ParseBytes(out.Bytes(), Limits{}); err == nil {
			t.Errorf("%s: a well-formed answer left", what)
		}
	}
}

func TestMultistatusWriteError(t *testing.T) {
	broken := errors.New("connection reset")
	m := NewMultistatus(failingWriter{broken})
	for range 3000 {
		m.Response("/a")
		m.Propstat(200)
		m.Element(DGetETag, `"1"`)
	}
	if err := m.Close(); !errors.Is(err, broken) {
		t.Errorf("got %v, want the write's error", err)
	}
	if cap(m.buf) > 4*flushAt {
		t.Errorf("after the failure %d octets were gathered", cap(m.buf))
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestMultistatusCallsAfterClose(t *testing.T) {
	var out bytes.Buffer
	m := NewMultistatus(&out)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	whole := out.String()
	m.Response("/late")
	if m.Close() == nil || m.Err() == nil || out.String() != whole {
		t.Errorf("a call after Close must be an error and write nothing: %q", out.String())
	}
	m.Reset(&out)
	out.Reset()
	m.Status("/a", 404)
	if err := m.Close(); err != nil || !strings.Contains(out.String(), "/a") {
		t.Errorf("after Reset: %v, %q", err, out.String())
	}
}

func TestMultistatusAllocatesNothing(t *testing.T) {
	m := NewMultistatus(io.Discard)
	row := func() {
		m.Response("/dav/addressbooks/7/default/1.vcf")
		m.Propstat(200)
		m.Element(DGetETag, `"1"`)
		m.Propstat(404, Condition{Name: DCannotModifyProtectedProperty})
		m.Empty(CSGetCTag)
	}
	for range 1000 {
		row()
	}
	if n := testing.AllocsPerRun(1000, row); n != 0 {
		t.Errorf("a response allocates %v times", n)
	}
}

func TestWriterNamespaces(t *testing.T) {
	w := NewWriter(nil)
	w.Start(DProp)
	w.Start(Name{"urn:a", "x"}, Attr{Name: Name{"urn:b", "y"}, Value: `"<`}, Attr{Name: Name{NSXML, "lang"}, Value: "en"})
	w.Empty(Name{"urn:a", "z"})
	w.Empty(Name{"urn:c", "z"})
	w.Element(Name{"", "none"}, "]]>\r\x01")
	w.Int(-7)
	w.End()
	w.Empty(Name{"urn:&", "x"})
	w.Empty(Name{"urn:a", "again"}) // its prefix went out of scope with x
	w.End()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	e, err := ParseBytes(w.Bytes(), Limits{})
	if err != nil {
		t.Fatalf("%v in %s", err, w.Bytes())
	}
	want := `<{DAV:}prop><{urn:a}x {urn:b}y="\"<" {` + NSXML + `}lang="en"><{urn:a}z></><{urn:c}z></><none>]]>` + "\r\uFFFD" + `</>-7</><{urn:&}x></><{urn:a}again></></>`
	if got := dump(e); got != want {
		t.Errorf("got\n%s\nwant\n%s\nfrom %s", got, want, w.Bytes())
	}
}

func TestWriterMisuse(t *testing.T) {
	for what, use := range map[string]func(w *Writer){
		"end without start":     func(w *Writer) { w.End() },
		"text outside the root": func(w *Writer) { w.Text("x") },
		"raw outside the root":  func(w *Writer) { w.Empty(DProp); w.Raw(nil) },
		"second root":           func(w *Writer) { w.Empty(DProp); w.Empty(DProp) },
	} {
		w := NewWriter(nil)
		use(w)
		if w.Err() == nil || w.Flush() == nil {
			t.Errorf("%s: there is no error", what)
		}
	}
}

func TestErrorBody(t *testing.T) {
	b := ErrorBody("the UID is taken", Condition{Name: CRNoUIDConflict, Hrefs: []string{"/a.vcf"}}, Condition{Name: CRValidAddressData})
	e, err := ParseBytes(b, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`<%v><%v><%v>/a.vcf</></><%v></><%v>the UID is taken</></>`, DError, CRNoUIDConflict, DHref, CRValidAddressData, DResponseDescription)
	if got := dump(e); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
