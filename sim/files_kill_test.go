package sim

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/blob"
	"holdfast/internal/blob/collect"
	blobdisk "holdfast/internal/blob/disk"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vfs"
	"holdfast/sim/server"
)

// putter puts files, whole and in chunks, until its server is killed, and remembers what it was told.
type putter struct {
	*filer
	n      int
	rand   *rand.Rand
	files  map[string]*putFile
	upload *putUpload // under way; nil: none is
	made   int

	acked, chunks, ended int // how often it was told so
}

// putFile is one file as its putter knows it.
type putFile struct {
	is   []byte // what was acknowledged last; nil: nothing was
	asks []byte // what was on its way when the server was killed; nil: nothing was
}

// putUpload is one upload in chunks.
type putUpload struct {
	name   string
	parts  [][]byte
	told   int // of how many parts it was told that they are there
	asked  int // how many were sent
	ending bool
}

func (u *putUpload) whole() []byte { return bytes.Join(u.parts, nil) }

func (p *putter) octets(most int) []byte {
	b := make([]byte, 1+p.rand.IntN(most))
	for i := 0; i < len(b); i += 97 {
		b[i] = byte(p.rand.Uint32())
	}
	return b
}

// run goes on until a request gets no answer. It returns what is wrong with one that it got.
func (p *putter) run(ctx context.Context) error {
	for ctx.Err() == nil {
		var up bool
		var err error
		if p.rand.IntN(3) > 0 {
			up, err = p.putOne()
		} else {
			up, err = p.putPart()
		}
		if err != nil || !up {
			return err
		}
	}
	return nil
}

func (p *putter) putOne() (up bool, err error) {
	at := p.file(fmt.Sprintf("p%d-%d", p.n, p.rand.IntN(40)))
	f := p.files[at]
	if f == nil {
		f = &putFile{}
		p.files[at] = f
	}
	f.asks = p.octets(1 << 20)
	a, err := p.do("PUT", at, bytes.NewReader(f.asks), int64(len(f.asks)))
	switch {
	case err != nil || a.status == http.StatusServiceUnavailable: // it was killed, or ends
		return false, nil
	case a.status != http.StatusCreated && a.status != http.StatusNoContent || a.header.Get("ETag") != etagOf(f.asks):
		return true, fmt.Errorf("PUT %s: status %d, ETag %s", at, a.status, a.header.Get("ETag"))
	}
	f.is, f.asks = f.asks, nil
	p.acked++
	return true, nil
}

// putPart does the next request of an upload.
func (p *putter) putPart() (up bool, err error) {
	u := p.upload
	if u == nil {
		p.made++
		u = &putUpload{name: fmt.Sprintf("u%d-%d", p.n, p.made)}
		for range 2 + p.rand.IntN(4) {
			u.parts = append(u.parts, p.octets(700_000))
		}
		a, err := p.do("MKCOL", p.filer.upload(u.name), nil, 0, fmt.Sprint("OC-Total-Length: ", len(u.whole())))
		if err != nil || a.status == http.StatusServiceUnavailable {
			return false, nil
		}
		if a.status != http.StatusCreated {
			return true, fmt.Errorf("MKCOL: status %d: %.300s", a.status, a.body)
		}
		p.upload = u
		return true, nil
	}
	if u.told < len(u.parts) {
		part := u.parts[u.told]
		u.asked = u.told + 1
		a, err := p.do("PUT", p.filer.upload(u.name, fmt.Sprint(u.asked)), bytes.NewReader(part), int64(len(part)))
		if err != nil || a.status == http.StatusServiceUnavailable {
			return false, nil
		}
		if a.status != http.StatusCreated && a.status != http.StatusNoContent {
			return true, fmt.Errorf("chunk %d of %s: status %d: %.300s", u.asked, u.name, a.status, a.body)
		}
		u.told, p.chunks = u.asked, p.chunks+1
		return true, nil
	}
	return p.end()
}

func (p *putter) end() (up bool, err error) {
	u := p.upload
	u.ending = true
	to := p.file(u.name)
	a, err := p.do("MOVE", p.filer.upload(u.name, ".file"), nil, 0, "Destination: "+to)
	if err != nil || a.status == http.StatusServiceUnavailable {
		return false, nil
	}
	if a.status != http.StatusCreated && a.status != http.StatusNoContent || a.header.Get("ETag") != etagOf(u.whole()) {
		return true, fmt.Errorf("MOVE of %s: status %d: %.300s", u.name, a.status, a.body)
	}
	p.files[to], p.upload = &putFile{is: u.whole()}, nil
	p.ended++
	return true, nil
}

// check compares what is there with what was told. What was on its way is there whole or not at all.
func (p *putter) check(t *testing.T) {
	t.Helper()
	for at, f := range p.files {
		a, err := p.do("GET", at, nil, 0)
		switch {
		case err != nil:
			t.Fatal(err)
		case a.status == http.StatusNotFound && f.is == nil:
		case a.status == http.StatusOK && f.is != nil && bytes.Equal(a.body, f.is):
		case a.status == http.StatusOK && f.asks != nil && bytes.Equal(a.body, f.asks):
			f.is = f.asks
		default:
			t.Errorf("%s: status %d, %d octets; acknowledged were %d, on their way %d", at, a.status, len(a.body), len(f.is), len(f.asks))
		}
		f.asks = nil
	}
	if p.upload != nil {
		p.checkUpload(t)
	}
}

func (p *putter) checkUpload(t *testing.T) {
	t.Helper()
	u := p.upload
	a, err := p.do("GET", p.file(u.name), nil, 0)
	switch {
	case err != nil:
		t.Fatal(err)
	case a.status == http.StatusOK && u.ending && bytes.Equal(a.body, u.whole()):
	case a.status != http.StatusNotFound:
		t.Errorf("%s: status %d, %d octets, before it was whole", u.name, a.status, len(a.body))
	}
	a, err = p.do("PROPFIND", p.filer.upload(u.name)+"/", nil, 0, "Depth: 1")
	if err != nil {
		t.Fatal(err)
	}
	if u.ending { // asked again, it must end
		if _, err := p.end(); err != nil || p.upload != nil {
			t.Errorf("%s was being made a file, and does not become one: %v", u.name, err)
		}
		return
	}
	there := 0
	for i, part := range u.parts {
		href := p.filer.upload(u.name, fmt.Sprint(i+1)) + "</D:href>"
		_, rest, is := strings.Cut(string(a.body), href)
		if is && i == there {
			there++
		}
		if rest, _, _ = strings.Cut(rest, "</D:response>"); is && !strings.Contains(rest, fmt.Sprintf(">%d<", len(part))) {
			t.Errorf("chunk %d of %s is there in part: %s", i+1, u.name, rest)
		}
		if is && i >= u.asked {
			t.Errorf("chunk %d of %s was never sent, and is there", i+1, u.name)
		}
	}
	if there < u.told {
		t.Errorf("%d chunks of %s were acknowledged, and %d are there", u.told, u.name, there)
	}
	u.told = there
}

// TestKillUnderUploads kills the server at random moments while files arrive, whole and in chunks. What was acknowledged is there, nothing is there in part, and in the end the collector finds no octets that would stay for ever.
func TestKillUnderUploads(t *testing.T) {
	kills := *fileKillsFlag
	if testing.Short() {
		kills = min(kills, 2)
	}
	seed := seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	o := server.Options{Bin: program(t), Data: t.TempDir() + "/data"}
	s := start(t, o)
	var putters []*putter
	for i, a := range people(t, s, 3) {
		for j := range 2 {
			n := 2*i + j
			putters = append(putters, &putter{filer: newFiler(s, a), n: n, rand: rand.New(rand.NewPCG(seed, uint64(n+1))), files: map[string]*putFile{}})
		}
	}
	for n := range kills {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, p := range putters {
			all.Go(func() {
				if err := p.run(ctx); err != nil {
					t.Errorf("kill %d: %v", n, err)
				}
			})
		}
		time.Sleep(100*time.Millisecond + time.Duration(r.Int64N(int64(900*time.Millisecond))))
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		cancel()
		s = start(t, o)
		for _, p := range putters {
			p.base = "http://" + s.Addr
			p.client.CloseIdleConnections()
			p.check(t)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", n)
		}
	}
	var acked, chunks, ended int
	for _, p := range putters {
		acked, chunks, ended = acked+p.acked, chunks+p.chunks, ended+p.ended
	}
	t.Logf("%d kills; %d files, %d chunks and %d uploads acknowledged", kills, acked, chunks, ended)
	if acked == 0 || chunks == 0 || ended == 0 {
		t.Error("too little was acknowledged to show anything")
	}
	nothingTaken(t, s.Data)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	swept(t, o)
	collected(t, o.Data)
}

// collected opens the stopped server's store and lets the collector work for three days: what stays then is named.
func collected(t *testing.T, data string) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	blobs, err := blobdisk.Open(vfs.OS, filepath.Join(data, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	names := core.New(core.Options{Engine: e})
	clk := clock.NewFake(time.Now())
	c := collect.New(collect.Options{Keeper: blob.NewKeeper(blobs), Names: names.NamesBlob, Clock: clk})
	var first, last collect.Result
	for i := range 73 {
		r, err := c.Pass(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if last = r; i == 0 {
			first = r
		}
		clk.Advance(time.Hour)
	}
	t.Logf("%d blobs, of which %d were named by no change; after three days %d, of which %d", first.Blobs, first.Waiting, last.Blobs, last.Blobs-last.Named)
	if last.Blobs != last.Named || last.Named != first.Named || len(last.Strangers) > 0 {
		t.Errorf("%+v, at first %+v", last, first)
	}
	if err := names.Check(t.Context(), false, func(f store.Finding) { t.Errorf("%+v", f) }); err != nil {
		t.Fatal(err)
	}
}
