package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"holdfast"
	"holdfast/sim/load"
	"holdfast/sim/server"
)

// filer is one account's program that puts files.
type filer struct {
	base    string // http://host:port
	account load.Account
	id      string
	client  *http.Client
}

func newFiler(s *server.Server, a load.Account) *filer {
	id := strings.Split(a.Book, "/")[3]
	t := &http.Transport{MaxIdleConnsPerHost: 300, DisableCompression: true, ExpectContinueTimeout: time.Minute}
	return &filer{base: "http://" + s.Addr, account: a, id: id, client: &http.Client{Transport: t, Timeout: 20 * time.Minute}}
}

// file is where a file is, by its path below the home.
func (f *filer) file(names ...string) string { return "/dav/files/" + f.id + escaped(names) }

// upload is where a chunk arrives.
func (f *filer) upload(names ...string) string { return "/dav/uploads/" + f.id + escaped(names) }

func escaped(names []string) (out string) {
	for _, n := range names {
		out += "/" + url.PathEscape(n)
	}
	return out
}

// fileAnswer is an answer, read whole.
type fileAnswer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request. size is below zero for a body of unknown length. Headers are "Name: value".
func (f *filer) do(method, path string, body io.Reader, size int64, headers ...string) (a fileAnswer, err error) {
	resp, err := f.open(method, path, body, size, headers...)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a.status, a.header = resp.StatusCode, resp.Header
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	return a, err
}

// open is do without reading the answer's body.
func (f *filer) open(method, path string, body io.Reader, size int64, headers ...string) (*http.Response, error) {
	if body == nil {
		size = 0
	}
	r, err := http.NewRequest(method, f.base+path, body)
	if err != nil {
		return nil, err
	}
	r.ContentLength = size
	r.SetBasicAuth(f.account.Email, f.account.Password)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return f.client.Do(r)
}

// want sends a request that must be answered so.
func (f *filer) want(t *testing.T, status int, method, path string, body []byte, headers ...string) fileAnswer {
	t.Helper()
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	a, err := f.do(method, path, r, int64(len(body)), headers...)
	if err != nil || a.status != status {
		t.Fatalf("%s %s: status %d, want %d, %v\n%.1000s", method, path, a.status, status, err, a.body)
	}
	return a
}

// holds fails unless a file has these octets.
func (f *filer) holds(t *testing.T, path string, octets []byte) {
	t.Helper()
	if a := f.want(t, 200, "GET", path, nil); !bytes.Equal(a.body, octets) {
		t.Errorf("%s has %d octets, and other ones than the %d that were put", path, len(a.body), len(octets))
	}
}

// longNames are of exactly 255 octets, in both normal forms and mixed.
func longNames() (out []string) {
	fill := func(unit, end string) string {
		s := strings.Repeat(unit, (255-len(end))/len(unit))
		return strings.Repeat("x", 255-len(end)-len(s)) + s + end
	}
	return []string{fill("\u00e9", ".jpg"), fill("e\u0301", ".jpg"), fill("\u00e9e\u0301", ".jpg"), fill("\u65e5", ""), fill("\U0001f600", ".mov"), fill("\u1e9b\u0323", ""), fill("n", ".txt")}
}

// TestLongNames: names of 255 octets, composed, decomposed and mixed, come and go as they are, over a restart, in chunks, by COPY and MOVE; two forms of a name are two files.
func TestLongNames(t *testing.T) {
	o := server.Options{Bin: program(t), Data: t.TempDir() + "/data"}
	s := start(t, o)
	a := people(t, s, 1)[0]
	f := newFiler(s, a)
	box := strings.Repeat("e\u0301", 85)
	f.want(t, 201, "MKCOL", f.file(box), nil)
	for i, n := range longNames() {
		if len(n) != 255 || !utf8.ValidString(n) {
			t.Fatalf("name %d has %d octets", i, len(n))
		}
		f.want(t, 201, "PUT", f.file(box, n), []byte(n))
		f.want(t, 201, "MKCOL", f.upload(n), nil)
		f.want(t, 201, "PUT", f.upload(n, "1"), []byte("in chunks"))
	}
	f.want(t, 400, "PUT", f.file(box, strings.Repeat("x", 256)), []byte("x"))
	f.want(t, 400, "MKCOL", f.upload(strings.Repeat("x", 256)), nil)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	s = start(t, o)
	f = newFiler(s, a)
	listing := string(f.want(t, 207, "PROPFIND", f.file(box)+"/", nil, "Depth: 1").body)
	for i, n := range longNames() {
		if href := url.PathEscape(n); strings.Count(listing, href+"</D:href>") != 1 {
			t.Errorf("%q is not listed once", n)
		}
		f.holds(t, f.file(box, n), []byte(n))
		f.want(t, 201, "MOVE", f.upload(n, ".file"), nil, "Destination: "+f.file(fmt.Sprint("of chunks ", i)))
		f.want(t, 201, "COPY", f.file(box, n), nil, "Destination: "+f.file(n))
		f.want(t, 204, "MOVE", f.file(box, n), nil, "Destination: "+f.file(n), "Overwrite: T")
		f.holds(t, f.file(n), []byte(n))
		f.want(t, 404, "GET", f.file(box, n), nil)
	}
	two := []string{"caf\u00e9", "cafe\u0301"}
	for _, n := range two {
		f.want(t, 201, "PUT", f.file(n), []byte(n))
	}
	for _, n := range two {
		f.holds(t, f.file(n), []byte(n))
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// sparse is a file of zeros with a mark at the beginning of each MiB: what it holds where is known without holding it.
type sparse struct{ at, size int64 }

func (s *sparse) Read(p []byte) (int, error) {
	if s.at >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.size-s.at))
	clear(p[:n])
	const mib = 1 << 20
	for at := (s.at + mib - 1) / mib * mib; at < s.at+int64(n); at += mib {
		copy(p[at-s.at:n], fmt.Sprint("MiB ", at/mib))
	}
	s.at += int64(n)
	return n, nil
}

func (s *sparse) ReadAt(p []byte, at int64) (int, error) {
	return (&sparse{at, s.size}).Read(p)
}

// TestHugeFile puts a file of a size that no memory of the server's may hold: with its length, without, and in chunks. It comes back as it went, also in parts, and the server's memory stays flat.
func TestHugeFile(t *testing.T) {
	size := *hugeFlag
	o := server.Options{Bin: program(t), Data: t.TempDir() + "/data"}
	s := start(t, o)
	f := newFiler(s, people(t, s, 1)[0])
	f.want(t, 201, "PUT", f.file("small"), []byte("so that all is warm"))
	before, err := s.Memory()
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, &sparse{size: size}); err != nil {
		t.Fatal(err)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	etag := `"` + sum + `"`
	put := func(what, path string, length int64, headers ...string) {
		t.Helper()
		began := time.Now()
		a, err := f.do("PUT", path, &sparse{size: size}, length, headers...)
		if err != nil || a.status != 201 && a.status != 204 || a.header.Get("ETag") != etag {
			t.Fatalf("%s: status %d, %v\n%.500s", what, a.status, err, a.body)
		}
		t.Logf("%s: %d MiB in %v", what, size>>20, time.Since(began).Round(time.Millisecond))
	}
	put("with its length", f.file("film"), size)
	put("without, with a checksum", f.file("film 2"), -1, "OC-Checksum: SHA256:"+sum)

	f.want(t, 201, "MKCOL", f.upload("u"), nil, fmt.Sprint("OC-Total-Length: ", size), "Destination: "+f.file("film 3"))
	const chunk = 10 << 20
	began := time.Now()
	for at := int64(0); at < size; at += chunk {
		part := io.NewSectionReader(&sparse{size: size}, at, min(chunk, size-at))
		if a, err := f.do("PUT", f.upload("u", fmt.Sprintf("%05d", at/chunk+1)), part, part.Size()); err != nil || a.status != 201 {
			t.Fatalf("chunk at %d: status %d, %v\n%.500s", at, a.status, err, a.body)
		}
	}
	middle := time.Now()
	if a := f.want(t, 201, "MOVE", f.upload("u", ".file"), nil, "Destination: "+f.file("film 3"), fmt.Sprint("OC-Total-Length: ", size)); a.header.Get("ETag") != etag {
		t.Errorf("of chunks: %v", a.header)
	}
	t.Logf("in chunks: %d MiB in %v, and %v for the MOVE", size>>20, middle.Sub(began).Round(time.Millisecond), time.Since(middle).Round(time.Millisecond))

	resp, err := f.open("GET", f.file("film 3"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	h.Reset()
	n, err := io.Copy(h, resp.Body)
	resp.Body.Close()
	if err != nil || n != size || hex.EncodeToString(h.Sum(nil)) != sum {
		t.Errorf("%d octets came back, %v", n, err)
	}
	last := (size - 1) >> 20
	if a := f.want(t, 206, "GET", f.file("film"), nil, fmt.Sprintf("Range: bytes=%d-%d", last<<20, last<<20+5)); string(a.body) != fmt.Sprint("MiB ", last)[:min(6, len(fmt.Sprint("MiB ", last)))] && !strings.HasPrefix(string(a.body), "MiB ") {
		t.Errorf("the last MiB begins with %q", a.body)
	}
	after, err := s.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("resident: %d MiB before, %d at most", before.Resident>>20, after.Peak>>20)
	if grown := after.Peak - before.Resident; grown > 150<<20 {
		t.Errorf("the server took %d MiB more", grown>>20)
	}
}

// TestUploadCutEverywhere cuts an upload of 10 MB after each 100 KB, as lines break: by an end and by a reset. Nothing is there before it is whole, what was there stays, and nothing stays of the parts.
func TestUploadCutEverywhere(t *testing.T) {
	const size = 10_000_000
	s := start(t, server.Options{})
	f := newFiler(s, people(t, s, 1)[0])
	octets := make([]byte, size)
	if _, err := io.ReadFull(&sparse{size: size}, octets); err != nil {
		t.Fatal(err)
	}
	old := []byte("what was there")
	f.want(t, 201, "PUT", f.file("old"), old)
	f.want(t, 201, "MKCOL", f.upload("u"), nil)
	targets := []string{f.file("new"), f.file("old"), f.upload("u", "1")}
	for cut := 0; cut < size; cut += *cutFlag {
		f.cut(t, targets[cut / *cutFlag % len(targets)], octets, cut, cut / *cutFlag % 2 == 0)
	}
	f.want(t, 404, "GET", f.file("new"), nil)
	f.holds(t, f.file("old"), old)
	if a := f.want(t, 207, "PROPFIND", f.upload("u")+"/", nil, "Depth: 1"); strings.Contains(string(a.body), "getcontentlength") {
		t.Errorf("there is a part of a chunk:\n%s", a.body)
	}
	for _, at := range []string{f.file("new"), f.upload("u", "1")} {
		f.want(t, 201, "PUT", at, octets)
	}
	f.want(t, 204, "MOVE", f.upload("u", ".file"), nil, "Destination: "+f.file("old"))
	f.holds(t, f.file("old"), octets)
	nothingTaken(t, s.Data)
}

// cut begins a PUT and ends its connection after so many octets.
func (f *filer) cut(t *testing.T, path string, octets []byte, after int, reset bool) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(f.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, _ := http.NewRequest("PUT", f.base+path, nil)
	r.SetBasicAuth(f.account.Email, f.account.Password)
	head := fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n", path, r.Host, r.Header.Get("Authorization"), len(octets))
	if _, err := c.Write(append([]byte(head), octets[:after]...)); err != nil {
		t.Fatalf("%s after %d: %v", path, after, err)
	}
	if reset {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
}

// etagOf is the ETag of octets.
func etagOf(octets []byte) string { return `"` + holdfast.HashOf(octets).String() + `"` }
