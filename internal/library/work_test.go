package library

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/photo"
	"holdfast/internal/photo/decode"
	"holdfast/internal/store"
)

// TestTheCorpus: each photo of real cameras is shown, with thumbnails where it can be decoded, and stays as it was to the last bit.
func TestTheCorpus(t *testing.T) {
	h := newHouse(t, withPool)
	list, err := filepath.Glob(filepath.Join(corpusDir(t), "*"))
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	octets := map[string][]byte{}
	for _, file := range list {
		name := filepath.Base(file)
		octets[name] = corpusFile(t, name)
		h.put(h.photos, name, octets[name])
	}
	st := h.settled()
	page := h.list(Query{Limit: MaxPage})
	if len(page.Photos) != len(octets) || st.Photos != int64(len(octets)) {
		t.Errorf("%d photos are shown of %d: %s", len(page.Photos), len(octets), names(page))
	}
	for i := range page.Photos {
		p := &page.Photos[i]
		if p.Name == "corrupted.jpg" {
			if p.State != Undecodable || p.Why == "" {
				t.Errorf("%s is %s: %s", p.Name, p.State, p.Why)
			}
		} else if p.State != Ready || len(p.ThumbHash) == 0 || p.Kind == photo.Unknown || p.Width == 0 {
			t.Errorf("%s: %+v", p.Name, p)
		}
		for _, size := range []Size{Square, Large} {
			b, err := h.lib.Thumb(t.Context(), h.alice, h.alice.Account, p.Hash, size)
			if p.State != Ready {
				if !holdfast.IsKind(err, holdfast.NotFound) {
					t.Errorf("%s: %v", p.Name, err)
				}
				continue
			}
			c, err2 := jpeg.DecodeConfig(bytes.NewReader(b))
			if err != nil || err2 != nil || size == Square && (c.Width != c.Height || c.Width > decode.SquareSide) || size == Large && [2]int{c.Width, c.Height} != *p.Large {
				t.Errorf("%s, %s: %+v, %v, %v", p.Name, size, c, err, err2)
			}
		}
		if err := h.core.Read(t.Context(), h.alice, h.alice.Account, func(r *core.Reader) error {
			x, err := r.Resource(h.photos, p.Name, 0)
			if err != nil {
				return err
			}
			o, err := r.Open(t.Context(), &x)
			if err != nil {
				return err
			}
			defer o.Close()
			b, err := io.ReadAll(o)
			if err == nil && !bytes.Equal(b, octets[p.Name]) {
				t.Errorf("%s is not what was put there", p.Name)
			}
			return err
		}); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

// box is a box of QuickTime.
func box(kind string, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
}

func number(n ...uint32) (b []byte) {
	for _, v := range n {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// film is a short film without frames, half of a Live Photo.
func film(pair string) []byte {
	const name = "com.apple.quicktime.content.identifier"
	keys := box("keys", number(0, 1, uint32(8+len(name))), []byte("mdta"+name))
	values := box("ilst", box("\x00\x00\x00\x01", box("data", number(1, 0), []byte(pair))))
	meta := box("meta", box("hdlr", number(0, 0), []byte("mdta"), make([]byte, 13)), keys, values)
	return slices.Concat(box("ftyp", []byte("qt  \x00\x00\x02\x00qt  ")), box("moov", box("mvhd", number(0, 3765780000, 3765780000, 1000, 2900), make([]byte, 80)), meta))
}

// TestLivePhotos are one row, in whatever order their halves come, and two once one half is elsewhere.
func TestLivePhotos(t *testing.T) {
	h := newHouse(t)
	still := corpusFile(t, "IMG_5195.HEIC")
	info, err := photo.Read(t.Context(), bytes.NewReader(still), int64(len(still)), "x.heic")
	if err != nil || info.Pair == "" {
		t.Fatalf("%+v, %v", info, err)
	}
	one := func(list string, motion string) {
		t.Helper()
		h.settled()
		h.want(Query{}, list)
		p := h.list(Query{}).Photos[0]
		if p.Motion == nil && motion != "" || p.Motion != nil && (p.Motion.Path != motion || p.Motion.Seconds != 2.9) {
			t.Errorf("its film is %+v", p.Motion)
		}
	}
	h.put(h.photos, "IMG_5195.MOV", film(info.Pair))
	one("IMG_5195.MOV", "")
	h.put(h.photos, "IMG_5195.HEIC", still)
	one("IMG_5195.HEIC", "files/Photos/IMG_5195.MOV")
	months, err := h.lib.Months(t.Context(), h.alice, h.alice.Account)
	if err != nil || months.Photos != 1 {
		t.Errorf("%+v, %v", months, err)
	}
	sub := h.mkdir(h.photos, "copies")
	h.put(sub, "IMG_5195.HEIC", still)
	h.put(sub, "IMG_5195.MOV", film(info.Pair))
	h.settled()
	page := h.list(Query{})
	if len(page.Photos) != 2 || page.Photos[0].Motion == nil || page.Photos[0].Motion.Path != strings.Replace(page.Photos[0].Path, "HEIC", "MOV", 1) {
		t.Errorf("%+v", page.Photos)
	}
	for _, c := range []holdfast.ID{sub, h.photos} {
		h.delete(c, "IMG_5195.HEIC")
	}
	h.settled()
	h.want(Query{}, "IMG_5195.MOV IMG_5195.MOV")
	h.delete(sub, "IMG_5195.MOV")
	h.put(h.photos, "again.HEIC", still)
	one("again.HEIC", "files/Photos/IMG_5195.MOV")
	h.sameAnew()
}

// TestABombAndALieStopNobody: what cannot be decoded is told with why, and the rest is decoded.
func TestABombAndALieStopNobody(t *testing.T) {
	h := newHouse(t, withPool)
	good := exif(t, "2009:10:03 14:05:06", 1)
	h.put(h.photos, "bomb.png", bomb(t))
	h.put(h.photos, "text.jpg", []byte("this is no photo, whatever its name says"))
	h.put(h.photos, "film.jpg", film("x"))
	h.put(h.photos, "photo.png", good)
	h.put(h.photos, "photo.jpg", good) // the same octets under a name that is true
	h.put(h.photos, "photo.dat", exif(t, "2009:10:03 14:05:06", 2))
	h.put(h.photos, "cut.jpg", good[:len(good)/2])
	h.put(h.photos, "empty.jpg", nil)
	h.put(h.photos, "last.jpg", exif(t, "2009:10:03 14:05:06", 3))
	st := h.settled()
	got := map[string]string{}
	for _, p := range h.list(Query{}).Photos {
		got[p.Name] = strings.TrimSpace(string(p.Kind) + " " + string(p.State))
		if p.Lies {
			got[p.Name] += " lies"
		}
		if (p.State == Ready) != (p.Why == "") {
			t.Errorf("%s is %s: %q", p.Name, p.State, p.Why)
		}
	}
	want := map[string]string{"bomb.png": "png undecodable", "text.jpg": "undecodable", "film.jpg": "mov no-poster lies", "photo.png": "jpeg ready lies", "photo.jpg": "jpeg ready", "photo.dat": "jpeg ready", "cut.jpg": "jpeg undecodable", "empty.jpg": "undecodable", "last.jpg": "jpeg ready"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("there are\n%v, not\n%v", got, want)
	}
	if text := st.String(); text != "9 indexed, 0 waiting, 4 undecodable; films have no posters: ffmpeg is not installed" {
		t.Error(text)
	}
	h.restart(func() { h.o.Films, h.o.Decoder = true, nil }) // it was installed: what could not be made waits, and nothing else
	if st, err := h.lib.Status(t.Context()); err != nil || st.Waiting != 1 || st.NoPosters != 0 || st.Undecodable != 4 {
		t.Errorf("%+v, %v", st, err)
	}
}

// starved is a decoder on a machine that has no time for it.
type starved struct {
	mu    sync.Mutex
	asked int
	until int
}

func (d *starved) Thumbs(context.Context, io.ReaderAt, int64, photo.Info) (*decode.Thumbs, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked++; d.asked <= d.until {
		return nil, decode.ErrStarved
	}
	return &decode.Thumbs{Square: []byte("s"), Large: []byte("l"), LargeWidth: 1, LargeHeight: 1, Hash: []byte("h")}, nil
}

// TestABusyMachine: a photo is tried again, later and later, and not for ever.
func TestABusyMachine(t *testing.T) {
	for until, want := range map[int]State{3: Ready, 100: Undecodable} {
		d, now := &starved{until: until}, clock.NewFake(time.Unix(2e9, 0))
		h := newSimpleHouse(t, func(co *core.Options, o *Options) { co.Clock, o.Clock, o.Decoder, o.Workers = now, now, d, 1 })
		h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if p := h.list(Query{}).Photos; len(p) == 1 && p[0].State == want {
				break
			}
			now.Advance(10 * time.Minute)
			if time.Now().After(end) {
				t.Fatalf("it is not %s after %d tries", want, d.asked)
			}
		}
		if tries := min(until+1, mostTries); d.asked != tries {
			t.Errorf("it was tried %d times, not %d", d.asked, tries)
		}
		h.end()
	}
}

// gated is a decoder that waits for leave, and remembers of which years the photos were.
type gated struct {
	leave chan bool
	mu    sync.Mutex
	years []int
}

func (d *gated) Thumbs(_ context.Context, _ io.ReaderAt, _ int64, i photo.Info) (*decode.Thumbs, error) {
	d.mu.Lock()
	d.years = append(d.years, i.Taken.At.Year())
	d.mu.Unlock()
	<-d.leave
	return &decode.Thumbs{Square: []byte("s"), Large: []byte("l"), LargeWidth: 1, LargeHeight: 1, Hash: []byte("h")}, nil
}

// TestNobodyWaitsForAnothersPhotos: the many photos of one account keep those of another waiting for one of them, and not for all.
func TestNobodyWaitsForAnothersPhotos(t *testing.T) {
	d := &gated{leave: make(chan bool)}
	h := newSimpleHouse(t, func(_ *core.Options, o *Options) { o.Decoder, o.Workers = d, 1 })
	at, err := h.core.Locate(t.Context(), h.bob, h.bob.Account, []string{"files", "Photos"})
	if err != nil {
		t.Fatal(err)
	}
	h.put(h.photos, "first.jpg", exif(t, "2001:01:01 00:00:00", 1))
	his := exif(t, "2002:01:01 00:00:00", 2)
	if _, _, err := h.core.PutFile(t.Context(), h.bob, core.FileRequest{Place: core.Place{Owner: h.bob.Account, Collection: at.Collection.ID, Name: "his.jpg"}, Octets: bytes.NewReader(his), Size: int64(len(his))}); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		h.put(h.photos, fmt.Sprint(i, ".jpg"), exif(t, "2003:01:01 00:00:00", 3+i))
	}
	h.list(Query{})
	if _, err := h.lib.Photos(t.Context(), h.bob, h.bob.Account, Query{}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // each was read
		var read int64
		if err := h.lib.read(t.Context(), func(c *conn) (err error) {
			read, err = c.count("SELECT count(*) FROM content WHERE state <> 0")
			return err
		}); err != nil || read == 8 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d were read", read)
		}
	}
	close(d.leave)
	h.settled()
	// One is under way when the last ones come, and one of hers stands before his at most.
	if i := slices.Index(d.years, 2002); i < 0 || i > 2 || len(d.years) != 8 {
		t.Errorf("they were decoded in this order: %v", d.years)
	}
}

// TestOctetsThatAreGone: a photo whose octets cannot be had is shown as broken, and mended once they are there again.
func TestOctetsThatAreGone(t *testing.T) {
	h := newSimpleHouse(t, withPool)
	octets := exif(t, "2009:10:03 14:05:06", 1)
	hash := holdfast.HashOf(octets)
	h.stop()
	h.put(h.photos, "a.jpg", octets)
	if err := h.blobs.Remove(t.Context(), h.alice.Account, hash); err != nil {
		t.Fatal(err)
	}
	h.start()
	if st := h.settled(); st.Broken != 1 {
		t.Errorf("%+v", st)
	}
	if p := h.list(Query{}).Photos[0]; p.State != Broken || p.Why == "" {
		t.Errorf("%+v", p)
	}
	h.put(h.photos, "b.jpg", octets) // whoever has them puts them here again
	h.settled()
	for _, p := range h.list(Query{}).Photos {
		if p.State != Ready || p.Taken.Wall != "2009-10-03T14:05:06" {
			t.Errorf("%+v", p)
		}
	}
}

// TestALostThumbnailIsMadeAgain where its file is gone or damaged.
func TestALostThumbnailIsMadeAgain(t *testing.T) {
	h := newSimpleHouse(t, withPool)
	hash := h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	file := h.lib.thumbPath(h.alice.Account, hash, Square)
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, harm := range map[string]func() error{"gone": func() error { return os.Remove(file) }, "damaged": func() error { return os.WriteFile(file, was[:len(was)/2], 0o600) }} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if _, err := h.lib.Thumb(t.Context(), h.alice, h.alice.Account, hash, Square); !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Errorf("%s: %v", what, err)
		}
		h.settled()
		if b, err := h.lib.Thumb(t.Context(), h.alice, h.alice.Account, hash, Square); err != nil || !bytes.Equal(b, was) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// gate is a copy that can be closed: nothing is acknowledged then.
type gate struct {
	mu    sync.Mutex
	e     store.Engine
	shut  bool
	upTo  uint64
	moved signal
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	g.shut, g.upTo = shut, g.e.Position().Batch
	g.mu.Unlock()
	g.moved.happen()
}

func (g *gate) Ready() error { return nil }

func (g *gate) Acked() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return g.upTo
	}
	return g.e.Position().Batch
}

func (g *gate) Wait(_ context.Context, batch uint64) ([]string, string, error) {
	if g.Acked() < batch {
		return nil, "", &holdfast.Error{Op: "gate", Kind: holdfast.Unavailable}
	}
	return []string{"engine"}, "engine", nil
}

func (g *gate) AwaitAcked(ctx context.Context, batch uint64) error {
	for {
		moved := g.moved.next()
		if g.Acked() >= batch {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// TestNothingIsShownBeforeItIsAcknowledged, nor is it read.
func TestNothingIsShownBeforeItIsAcknowledged(t *testing.T) {
	g := &gate{}
	g.moved.init()
	h := newHouse(t, func(co *core.Options, o *Options) {
		g.e, co.Copies, co.Limits.Show, o.Patience = co.Engine, g, time.Millisecond, 300*time.Millisecond
	})
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	g.set(true)
	octets := exif(t, "2009:10:03 14:05:06", 2)
	if _, _, err := h.core.PutFile(t.Context(), h.alice, core.FileRequest{Place: h.place(h.photos, "b.jpg"), Octets: bytes.NewReader(octets), Size: int64(len(octets))}); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Fatal(err)
	}
	if err := h.lib.refresh(t.Context(), h.alice.Account); err != nil {
		t.Fatal(err)
	}
	h.want(Query{}, "a.jpg")
	h.restart(nil) // who walks all accounts sees no more
	time.Sleep(50 * time.Millisecond)
	h.want(Query{}, "a.jpg")
	g.set(false)
	for end := time.Now().Add(time.Minute); names(h.list(Query{})) != "b.jpg a.jpg"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there is %s", names(h.list(Query{})))
		}
	}
}

// TestALibraryThatIsCutGoesOn: it ends in the middle of its work, again and again, and no photo is left out.
func TestALibraryThatIsCutGoesOn(t *testing.T) {
	h := newHouse(t, withPool)
	const n = 60
	for i := range n {
		h.put(h.photos, fmt.Sprintf("%02d.jpg", i), exif(t, fmt.Sprintf("2009:10:03 14:05:%02d", i), i+1))
		if i%10 == 9 {
			time.Sleep(time.Duration(i) * time.Millisecond)
			h.restart(nil)
		}
	}
	if st := h.settled(); st.Photos != n || st.Undecodable+st.Broken > 0 {
		t.Errorf("%+v", st)
	}
	for _, p := range h.list(Query{}).Photos {
		if p.State != Ready {
			t.Errorf("%+v", p)
		}
	}
}

// TestAnOldAccountGetsItsFolder at the next start.
func TestAnOldAccountGetsItsFolder(t *testing.T) {
	h := newSimpleHouse(t)
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.restart(func() {
		if err := os.RemoveAll(h.o.Dir); err != nil {
			t.Fatal(err)
		}
		if _, err := h.core.SetProperties(t.Context(), h.alice, h.place(h.photos, ""), nil, func(holdfast.Properties) (holdfast.Properties, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
	})
	for end := time.Now().Add(time.Minute); names(h.list(Query{})) != "a.jpg"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("its folder is not one of photos")
		}
	}
}
