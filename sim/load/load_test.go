package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/vcard"
)

func TestCardsAreContacts(t *testing.T) {
	seen := map[string]bool{}
	for n := range uint64(2000) {
		uid := UID(n%7, n)
		if len(uid) != 36 || seen[uid] {
			t.Fatalf("UID %q, known: %t", uid, seen[uid])
		}
		seen[uid] = true
		card := AppendCard(nil, uid, int(n%5))
		if len(card) != CardSize {
			t.Fatalf("%d octets", len(card))
		}
		if !bytes.Equal(card, AppendCard([]byte("x"), uid, int(n%5))[1:]) || bytes.Equal(card, AppendCard(nil, uid, 5)) {
			t.Fatal("octets do not follow from UID and version")
		}
		for line := range bytes.SplitSeq(card, []byte("\r\n")) {
			if len(line) > 75 {
				t.Fatalf("a line of %d octets", len(line))
			}
		}
		if n < 50 {
			x, refusal := vcard.Judge(card, vcard.DefaultLimits())
			if refusal != nil || x.UID != uid {
				t.Fatalf("%v\n%s", refusal, card)
			}
		}
	}
}

func TestHistogram(t *testing.T) {
	var h, o Histogram
	for i := 1; i <= 1000; i++ {
		(map[bool]*Histogram{true: &h, false: &o})[i%2 == 0].Add(time.Duration(i) * time.Microsecond)
	}
	h.Merge(&o)
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond} {
		if got := h.Quantile(q); got < want*98/100 || got > want*102/100 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	if h.Count() != 1000 || h.Max() != time.Millisecond {
		t.Error(h.Count(), h.Max())
	}
	h.Add(48 * time.Hour)
	h.Add(-1)
	if (&Histogram{}).Quantile(0.5) != 0 || h.Max() != 48*time.Hour {
		t.Error("bounds")
	}
}

// TestAnswers feeds answers in pieces of every size.
func TestAnswers(t *testing.T) {
	const stream = "HTTP/1.1 100 Continue\r\n\r\n" +
		"HTTP/1.1 201 Created\r\nEtag: \"a\"\r\nHoldfast-Receipt: epoch=1, seq=412, hash=:YQ==:\r\nContent-Length: 3\r\n\r\nabc" +
		"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n" +
		"HTTP/1.1 207 Multi-Status\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n" +
		"HTTP/1.0 200 OK\r\n\r\nuntil the end"
	for size := 1; size < len(stream); size++ {
		client, server := net.Pipe()
		go func() {
			for rest := []byte(stream); len(rest) > 0; rest = rest[min(size, len(rest)):] {
				server.Write(rest[:min(size, len(rest))])
			}
			server.Close()
		}()
		c := &Conn{Conn: client, buf: make([]byte, 0, 8)}
		var got []string
		for {
			a, err := c.Read()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				break
			}
			got = append(got, fmt.Sprintf("%d %s %d %s %t", a.Status, a.ETag, ReceiptSeq(a.Receipt), a.Body, a.Close))
		}
		if s := strings.Join(got, "|"); s != `100  0  false|201 "a" 412 abc false|204  0  true|207  0 hello world false|200  0 until the end true` {
			t.Fatalf("in pieces of %d: %s", size, s)
		}
	}
}

func TestMultistatus(t *testing.T) {
	list, token := responses([]byte(`<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"><d:response><d:href>/a&amp;b</d:href><d:propstat><d:prop><d:getetag>"1"</d:getetag>` +
		`<d:x/></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response><d:response><d:href>/c</d:href><d:status>HTTP/1.1 404 Not Found</d:status></d:response>` +
		`<d:sync-token>urn:x</d:sync-token></d:multistatus>`))
	if fmt.Sprintln(list, token) != `[{/a&b "1" false} {/c  true}] urn:x
` {
		t.Error(list, token)
	}
}

// fake is a server that can be told to break its word.
type fake struct {
	mu     sync.Mutex
	bodies map[string][]byte
	seq    int
	lie    func(seq int) string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	old, there := f.bodies[r.URL.Path]
	match, exact := r.Header.Get("If-Match"), bytes.Equal(old, body)
	switch {
	case r.Method == "GET" && !there:
		w.WriteHeader(404)
		return
	case r.Method == "GET":
		w.Header().Set("ETag", ETag(old))
		w.Write(old)
		return
	case r.Method == "PROPFIND":
		w.WriteHeader(207)
		for path, body := range f.bodies {
			fmt.Fprintf(w, "<response><href>%s</href><getetag>%s</getetag></response>", path, ETag(body))
		}
		return
	case exact && there && match != ETag(old): // a retry
		f.answer(w, r, body)
		return
	case match != "" && match != ETag(old), match == "" && there:
		w.WriteHeader(412)
		return
	}
	f.seq++
	lie := f.lie(f.seq)
	switch lie {
	case "lose":
	case "spoil":
		f.bodies[r.URL.Path] = append([]byte("x"), body...)
	default:
		f.bodies[r.URL.Path] = body
	}
	if r.Method == "DELETE" && lie != "keep" {
		delete(f.bodies, r.URL.Path)
	}
	if lie == "skip" {
		f.seq++
	}
	if lie == "silent" {
		panic(http.ErrAbortHandler)
	}
	if lie == "drop" {
		delete(f.bodies, r.URL.Path)
		f.seq--
		panic(http.ErrAbortHandler)
	}
	f.answer(w, r, body)
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Holdfast-Receipt", fmt.Sprintf("epoch=1, seq=%d, x", f.seq))
	if r.Method == "PUT" {
		w.Header().Set("ETag", ETag(body))
	}
	w.WriteHeader(204)
}

func play(t *testing.T, lie func(seq int) string) (*Writer, Result, func() *Conn) {
	f := &fake{bodies: map[string][]byte{}, lie: lie}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	dial := func() *Conn {
		c, err := Dial(t.Context(), s.Listener.Addr().String(), time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	w := NewWriter(dial(), Account{Email: "alice@example.org", Book: "/book/"}, 1, 2)
	w.Strict, w.Deletes = true, 20
	return w, Run(t.Context(), []*Writer{w}, Bounds{Count: 200}), dial
}

func verify(w *Writer) error {
	errs := []error{w.VerifyListing()}
	for _, it := range w.Items() {
		errs = append(errs, w.Verify(it))
	}
	return errors.Join(errs...)
}

func TestHonestServer(t *testing.T) {
	w, r, _ := play(t, func(int) string { return "" })
	if len(r.Errors) > 0 || r.Done != 200 || len(r.Refused) > 0 || r.Latency.Count() != 200 {
		t.Fatalf("%+v", r)
	}
	if err := verify(w); err != nil {
		t.Fatal(err)
	}
	gone, updated := 0, 0
	for _, it := range w.Items() {
		if it.Gone {
			gone++
		} else if it.Version > 1 {
			updated++
		}
	}
	if gone == 0 || updated == 0 || w.Seq() != 200 {
		t.Error("the load is poor:", gone, updated, w.Seq())
	}
}

// TestLiesAreSeen is the control of everything that uses this package: each lie is told once, and found.
func TestLiesAreSeen(t *testing.T) {
	for _, lie := range []string{"lose", "spoil", "skip", "keep"} {
		t.Run(lie, func(t *testing.T) {
			told := false
			w, r, _ := play(t, func(seq int) string {
				if lie == "keep" && seq > 100 {
					return lie
				}
				if seq < 190 || told {
					return ""
				}
				told = true
				return lie
			})
			err := errors.Join(append(r.Errors, verify(w))...)
			if !errors.Is(err, ErrBroken) && r.Refused[412] == 0 {
				t.Error("not seen:", err, r.Refused)
			}
		})
	}
}

// TestLostAnswer cuts the connection instead of answering, once where the change was stored and once where not.
func TestLostAnswer(t *testing.T) {
	for lie, want := range map[string]bool{"silent": true, "drop": false} {
		for at := range 20 {
			told := false
			w, r, dial := play(t, func(seq int) string {
				if seq != 100+at || told {
					return ""
				}
				told = true
				return lie
			})
			if len(r.Errors) != 1 || !w.Pending() {
				t.Fatalf("%+v", r)
			}
			update := w.pending.at < len(w.items) && lie == "drop"
			w.Reconnect(dial())
			if update { // this fake drops the old version too
				continue
			}
			stored, err := w.Settle()
			if err != nil || stored != want || w.Pending() || int(w.Seq()) != 100+at {
				t.Fatal(lie, stored, err, w.Seq())
			}
			if err := verify(w); err != nil {
				t.Fatal(err)
			}
		}
	}
}
