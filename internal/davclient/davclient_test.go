package davclient_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/davclient"
	"holdfast/internal/davclient/remote"
)

func event(uid string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T100000Z\r\nSUMMARY:a & b < c\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func fill(s *remote.Server, n int) {
	for i := range n {
		s.Collections[0].Items[fmt.Sprintf("e %03d@x.ics", i)] = event(fmt.Sprint(i))
	}
}

// quick are options whose waits a test can sit out.
func quick(at string) davclient.Options {
	return davclient.Options{URL: at, User: remote.User, Password: remote.Password, Idle: 2 * time.Second, Total: 4 * time.Second, Retries: 3, MaxWait: 5 * time.Millisecond}
}

func open(t *testing.T, s http.Handler, change func(*davclient.Options)) *davclient.Client {
	t.Helper()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	o := quick(h.URL)
	if change != nil {
		change(&o)
	}
	c, err := davclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// take lists and fetches one collection.
func take(t *testing.T, c *davclient.Client, at *davclient.Collection) (map[string]string, *davclient.Fetcher, error) {
	t.Helper()
	members, err := c.List(t.Context(), at)
	if err != nil {
		return nil, nil, err
	}
	out, f := map[string]string{}, c.Fetcher(at)
	for batch := range slices.Chunk(members, davclient.Batch) {
		err := f.Fetch(t.Context(), batch, func(x *davclient.Item) error {
			if x.Err != nil {
				out[x.Name] = "error: " + holdfast.KindOf(x.Err).String()
				return nil
			}
			out[x.Name] = string(x.Body)
			return nil
		})
		if err != nil {
			return out, f, err
		}
	}
	return out, f, nil
}

func TestDiscoverFindsWhatIsThere(t *testing.T) {
	s := remote.New()
	s.Collections = append(s.Collections,
		&remote.Collection{Path: remote.Calendars + "inbox/", Types: "<C:schedule-inbox/>"},
		&remote.Collection{Path: remote.Calendars + "trash/", Types: "<NC:trash-bin/>"},
		&remote.Collection{Path: remote.Calendars + "contact_birthdays/", Types: "<C:calendar/>"},
		&remote.Collection{Path: remote.Calendars + "holidays/", Types: "<CS:subscribed/>", Props: "<CS:source><D:href>https://example.org/h.ics</D:href></CS:source>"},
		&remote.Collection{Path: remote.Calendars + "plain/", Types: ""},
		&remote.Collection{Path: remote.Calendars + "team_shared_by_bob/", Types: "<C:calendar/>", Props: "<D:owner><D:href>/p/bob/</D:href></D:owner>"})
	for name, change := range map[string]func(*davclient.Options){
		"by the root": func(*davclient.Options) { s.Root = true }, "by well-known": func(*davclient.Options) { s.Root = false },
		"by the principal": func(o *davclient.Options) { o.URL += remote.Principal }, "with absolute hrefs": func(*davclient.Options) { s.Absolute = "http://internal:81" },
	} {
		s.Absolute = ""
		f, err := open(t, s, change).Discover(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, c := range f.Collections {
			got = append(got, fmt.Sprint(c.Kind, " ", c.Name, " ", c.DisplayName, " ", c.Color, c.Order, c.Components, c.Shared))
		}
		want := []string{"addressbook contacts Contacts [] false", "calendar personal Alice's <days> #3366CCFF3[VEVENT VTODO] false", "calendar team_shared_by_bob  [] true"}
		if !slices.Equal(got, want) {
			t.Errorf("%s: found\n%s", name, strings.Join(got, "\n"))
		}
		if len(f.Left) != 4 || !strings.Contains(fmt.Sprint(f.Left), "https://example.org/h.ics") {
			t.Errorf("%s: left %v", name, f.Left)
		}
	}
	f, err := open(t, s, func(o *davclient.Options) { o.URL += remote.Calendars + "personal/" }).Discover(t.Context())
	if err != nil || len(f.Collections) != 1 || f.Collections[0].Name != "personal" {
		t.Errorf("a single collection: %+v, %v", f, err)
	}
	f, err = open(t, s, func(o *davclient.Options) { o.URL += "/nothing/" }).Discover(t.Context())
	if err != nil || len(f.Collections) != 3 {
		t.Errorf("a wrong path: %+v, %v", f, err)
	}
	for _, r := range s.Requests() {
		if m, _, _ := strings.Cut(r, " "); m != "PROPFIND" && m != "REPORT" && m != "GET" {
			t.Errorf("the client wrote: %s", r)
		}
	}
}

func TestFetchIsVerbatim(t *testing.T) {
	const n = 130
	for name, set := range map[string]func(*remote.Server){
		"as it should be": func(*remote.Server) {}, "no sizes": func(s *remote.Server) { s.NoSize = true }, "no multiget": func(s *remote.Server) { s.NoMultiget = true },
		"missing in the multiget": func(s *remote.Server) { s.Missing = map[string]bool{"e 007@x.ics": true, "e 129@x.ics": true} },
		"altered by the multiget": func(s *remote.Server) { s.Altered = true }, "in pages": func(s *remote.Server) { s.Page = 17 },
		"bare line feeds": func(s *remote.Server) {
			for k, v := range s.Collections[0].Items {
				s.Collections[0].Items[k] = strings.ReplaceAll(v, "\r\n", "\n")
			}
		},
		"both endings": func(s *remote.Server) {
			for i := 50; i < 60; i++ {
				k := fmt.Sprintf("e %03d@x.ics", i)
				s.Collections[0].Items[k] = strings.Replace(s.Collections[0].Items[k], "\r\n", "\n", 3)
			}
		},
		"absolute hrefs": func(s *remote.Server) { s.Absolute = "http://internal:81" },
		"busy": func(s *remote.Server) {
			n := 0
			s.Root = true // a redirect and what it leads to are one request
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if n++; n%3 == 0 {
					return false
				}
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader([]int{503, 429}[n%2])
				return true
			}
		},
	} {
		s := remote.New()
		fill(s, n)
		set(s)
		c := open(t, s, nil)
		f, err := c.Discover(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, fetcher, err := take(t, c, &f.Collections[1])
		if err != nil || len(got) != n {
			t.Errorf("%s: %d items, %v", name, len(got), err)
		}
		for k, v := range s.Collections[0].Items {
			if got[k] != v {
				t.Errorf("%s: %s came as %q", name, k, got[k])
				break
			}
		}
		if name == "as it should be" && fetcher.Singly != 1 || name == "missing in the multiget" && fetcher.Singly != 3 {
			t.Errorf("%s: %d were asked for one by one", name, fetcher.Singly)
		}
	}
}

func TestFetchTellsWhatFails(t *testing.T) {
	s := remote.New()
	fill(s, 5)
	s.Missing = map[string]bool{"e 001@x.ics": true, "e 002@x.ics": true, "e 003@x.ics": true}
	s.Broken = map[string]bool{"e 001@x.ics": true}
	s.Collections[0].Items["e 003@x.ics"] = strings.Repeat("x", 2000)
	c := open(t, s, func(o *davclient.Options) { o.MaxResource = 1000 })
	f, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	members, err := c.List(t.Context(), &f.Collections[1])
	if err != nil {
		t.Fatal(err)
	}
	delete(s.Collections[0].Items, "e 002@x.ics")
	got := map[string]string{}
	err = c.Fetcher(&f.Collections[1]).Fetch(t.Context(), members, func(x *davclient.Item) error {
		got[x.Name] = "came"
		if x.Err != nil {
			got[x.Name] = holdfast.KindOf(x.Err).String()
		}
		return nil
	})
	want := map[string]string{"e 000@x.ics": "came", "e 001@x.ics": "invalid", "e 002@x.ics": "not found", "e 003@x.ics": "too large", "e 004@x.ics": "came"}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %q, want %q", k, got[k], v)
		}
	}
	if err != nil || len(got) != len(want) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestListIsWholeOrNothing holds that a listing that is cut short is not taken for the whole.
func TestListIsWholeOrNothing(t *testing.T) {
	s := remote.New()
	fill(s, 50)
	c := open(t, s, nil)
	f, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{10, 400, 3000, 9000} {
		s.Cut = cut
		if m, err := c.List(t.Context(), &f.Collections[1]); err == nil {
			t.Errorf("cut at %d: %d members were believed", cut, len(m))
		}
	}
	s.Cut, s.Page, s.NoSync = 0, 10, true
	if m, err := c.List(t.Context(), &f.Collections[1]); err == nil {
		t.Errorf("a part: %d members were believed", len(m))
	}
}

// TestAFaultInAListingIsNoAbsence: what a server lists and cannot tell of at the moment is there, and must not be passed over in silence.
func TestAFaultInAListingIsNoAbsence(t *testing.T) {
	s := remote.New()
	fill(s, 4)
	s.Collections = append(s.Collections, &remote.Collection{Path: remote.Calendars + "work/", Types: "<C:calendar/>"})
	s.Failing = map[string]int{"e 001@x.ics": 500, "e 002@x.ics": 404, "e 003@x.ics": 403, remote.Calendars + "work/": 503}
	s.Missing, s.Broken = map[string]bool{"e 003@x.ics": true}, map[string]bool{"e 003@x.ics": true}
	c := open(t, s, nil)
	f, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Collections) != 2 || len(f.Left) != 1 || f.Left[0].Name != "work" || !f.Left[0].Fault || !strings.Contains(f.Left[0].Why, "503") {
		t.Fatalf("found %+v, left %+v", f.Collections, f.Left)
	}
	got, _, err := take(t, c, &f.Collections[1])
	items := s.Collections[0].Items
	if err != nil || len(got) != 3 || got["e 000@x.ics"] != items["e 000@x.ics"] || got["e 001@x.ics"] != items["e 001@x.ics"] || got["e 003@x.ics"] != "error: invalid" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestNamesWithSlashes: an encoded slash is a part of the name, so that two members do not become one.
func TestNamesWithSlashes(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request, all bool) {
		out := `<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">`
		for _, x := range []string{"/c/", "/c/b.ics", "/c/a%2Fb.ics"} {
			props := "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
			if x != "/c/" {
				props = `<D:getetag>"` + x + `"</D:getetag>`
			}
			if all {
				props += "<C:calendar-data>" + x + "</C:calendar-data>"
			}
			out += "<D:response><D:href>" + x + "</D:href><D:propstat><D:prop>" + props + "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
			if r.Header.Get("Depth") == "0" {
				break
			}
		}
		w.WriteHeader(http.StatusMultiStatus)
		fmt.Fprint(w, out+"</D:multistatus>")
	}
	s := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, r.URL.EscapedPath())
			return
		}
		answer(w, r, r.Method == "REPORT")
	})
	c := open(t, s, func(o *davclient.Options) { o.URL += "/c/" })
	f, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := take(t, c, &f.Collections[0])
	if err != nil || len(got) != 2 || got["b.ics"] != "/c/b.ics" || got["a/b.ics"] != "/c/a%2Fb.ics" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestHostileServers(t *testing.T) {
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Location", to); w.WriteHeader(302) }
	}
	text := func(code int, s string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code); io.WriteString(w, s) }
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the password went to another host")
		}
	}))
	defer other.Close()
	for name, x := range map[string]struct {
		h    http.Handler
		kind holdfast.ErrorKind
	}{
		"endless redirect":  {redirect("/again"), holdfast.Invalid},
		"another host":      {redirect(other.URL), holdfast.Forbidden},
		"another scheme":    {redirect("file:///etc/passwd"), holdfast.Forbidden},
		"user in redirect":  {redirect("https://u:p@example.org/"), holdfast.Forbidden},
		"no DAV":            {text(200, "<html>hello</html>"), holdfast.Invalid},
		"HTML as 207":       {text(207, "<html><body>hello</body></html>"), holdfast.Corrupt},
		"not closed":        {text(207, "<D:multistatus xmlns:D='DAV:'><D:response>"), holdfast.Corrupt},
		"doctype":           {text(207, `<!DOCTYPE x [<!ENTITY a "b">]><D:multistatus xmlns:D="DAV:"/>`), holdfast.Corrupt},
		"nested":            {text(207, "<D:multistatus xmlns:D='DAV:'><D:response>"+strings.Repeat("<a>", 1000)), holdfast.TooLarge},
		"endless text":      {text(207, "<D:multistatus xmlns:D='DAV:'><D:response><D:href>"+strings.Repeat("a", 1<<20)), holdfast.TooLarge},
		"many texts":        {text(207, "<D:multistatus xmlns:D='DAV:'><D:response>"+strings.Repeat("<a>"+strings.Repeat("a", 50_000)+"</a>", 20)), holdfast.TooLarge},
		"many attributes":   {text(207, "<D:multistatus xmlns:D='DAV:'><D:response>"+strings.Repeat("<a b='"+strings.Repeat("a", 50_000)+"'/>", 20)), holdfast.TooLarge},
		"endless attribute": {text(207, "<D:multistatus xmlns:D='DAV:'><D:response a='"+strings.Repeat("a", 1<<20)), holdfast.TooLarge},
		"forbidden":         {text(403, ""), holdfast.Forbidden},
		"always busy":       {text(503, ""), holdfast.Unavailable},
		"digest": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", `Digest realm="x", nonce="y"`)
			w.WriteHeader(401)
		}), holdfast.Unauthorized},
		"wrong password": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(401)
		}), holdfast.Unauthorized},
		"slow drip": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(207)
			for range 500 {
				io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(10 * time.Millisecond):
				case <-r.Context().Done():
					return
				}
			}
		}), holdfast.Unavailable},
		"silence": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(3 * time.Second):
			case <-r.Context().Done():
			}
		}), holdfast.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t, x.h, func(o *davclient.Options) {
				o.MaxResource, o.Idle, o.Total = 100_000, 100*time.Millisecond, 300*time.Millisecond
			})
			f, err := c.Discover(t.Context())
			if holdfast.KindOf(err) != x.kind || err == nil {
				t.Errorf("%+v, %v", f, err)
			}
			if err != nil && strings.Contains(err.Error(), remote.Password) {
				t.Errorf("the password stands in %v", err)
			}
		})
	}
}

func TestThePasswordStaysHome(t *testing.T) {
	for at, want := range map[string]holdfast.ErrorKind{"http://dav.example.org/": holdfast.Forbidden, "ftp://x/": holdfast.Invalid, "https://": holdfast.Invalid, "dav.example.org": holdfast.Invalid,
		"https://u:p@example.org/": holdfast.Invalid, "https://example.org/?a": holdfast.Invalid} {
		if _, err := davclient.New(quick(at)); holdfast.KindOf(err) != want || err == nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	for _, at := range []string{"http://127.0.0.1:5232", "http://[::1]/x/", "http://localhost/", "https://dav.example.org"} {
		if _, err := davclient.New(quick(at)); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	o := quick("http://dav.example.org/")
	o.InsecureHTTP = true
	if _, err := davclient.New(o); err != nil {
		t.Error(err)
	}
	// A home on another host: refused by name, and taken where the host is named.
	s := remote.New()
	elsewhere := httptest.NewTLSServer(s)
	defer elsewhere.Close()
	s.CalHome = elsewhere.URL + remote.Calendars
	host := strings.TrimPrefix(elsewhere.URL, "https://")
	_, err := open(t, s, nil).Discover(t.Context())
	if !holdfast.IsKind(err, holdfast.Forbidden) || !strings.Contains(err.Error(), "--trust-host "+host) {
		t.Errorf("got %v", err)
	}
	f, err := open(t, s, func(o *davclient.Options) { o.Hosts, o.Transport = []string{host}, elsewhere.Client().Transport }).Discover(t.Context())
	if err != nil || len(f.Collections) != 2 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestCompressedAnswers(t *testing.T) {
	s := remote.New()
	fill(s, 20)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			s.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		s.ServeHTTP(zipped{w, z}, r)
	})
	c := open(t, h, nil)
	f, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := take(t, c, &f.Collections[1]); err != nil || got["e 000@x.ics"] != event("0") {
		t.Errorf("%v, %v", got, err)
	}
}

type zipped struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (z zipped) Write(p []byte) (int, error) { return z.z.Write(p) }

func TestStopsWhenTold(t *testing.T) {
	s := remote.New()
	s.Before = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(503); return true }
	why := errors.New("enough")
	ctx, stop := context.WithCancelCause(t.Context())
	c := open(t, s, func(o *davclient.Options) {
		o.MaxWait = time.Hour
		o.Waiting = func(time.Duration, string) { stop(why) }
	})
	if _, err := c.Discover(ctx); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}
