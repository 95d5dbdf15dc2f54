package library

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/photo/decode"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/sqlite"

	sqlitedb "zombiezen.com/go/sqlite"
)

// TestMain is a decoder too.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "decode-worker" {
		os.Exit(m.Run())
	}
	if !raced {
		if err := decode.Confine(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	out := os.Stdout
	os.Stdout = os.Stderr
	if err := decode.Serve(os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// house is a store with two people, and a library that follows it.
type house struct {
	t      *testing.T
	engine store.Engine
	core   *core.Service
	lib    *Library
	o      Options
	alice  holdfast.Principal
	bob    holdfast.Principal
	photos holdfast.ID // alice's folder
	files  holdfast.ID // her home of files
	blobs  *memblob.Store
	stop   func()
}

type setting func(*core.Options, *Options)

// newHouse makes one over the default engine, which works.
func newHouse(t *testing.T, settings ...setting) *house {
	t.Helper()
	e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	return newHouseOn(t, e, settings...)
}

// newSimpleHouse makes one over the model.
func newSimpleHouse(t *testing.T, settings ...setting) *house {
	t.Helper()
	return newHouseOn(t, memory.New(), settings...)
}

func newHouseOn(t *testing.T, e store.Engine, settings ...setting) *house {
	t.Helper()
	t.Cleanup(func() { e.Close() })
	take := func(*holdfast.Collection, string, string, []byte) (holdfast.Kind, holdfast.Index, error) {
		return holdfast.KindFile, holdfast.Index{}, nil
	}
	co := core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeHome: take, holdfast.TypeFolder: take}, Limits: core.Limits{Inline: 64}}
	h := &house{t: t, engine: e, blobs: memblob.New(nil), o: Options{Dir: t.TempDir(), Store: e.Info().Store, Patience: time.Minute, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}}
	co.Engine = e
	for _, set := range settings {
		set(&co, &h.o)
	}
	if co.Copies == nil { // others take no blobs
		co.Blobs = blob.NewKeeper(h.blobs)
	}
	h.core = core.New(co)
	h.o.Core = h.core
	for i, p := range []*holdfast.Principal{&h.alice, &h.bob} {
		a, _, err := h.core.CreateAccount(t.Context(), holdfast.Actor{}, []string{"alice@example.org", "bob@example.org"}[i], "")
		if err != nil {
			t.Fatal(err)
		}
		p.Account = a.ID
	}
	h.files, h.photos = h.at("files"), h.at("files/Photos")
	h.open()
	h.start()
	t.Cleanup(func() { h.end() })
	return h
}

func withPool(_ *core.Options, o *Options) {
	o.Decoder = decode.NewPool(decode.Config{Command: firstOf(decode.Commands(os.Args[0], "")), Workers: 2, Clock: clock.System})
}

func firstOf[A, B any](a A, _ B) A { return a }

func (h *house) open() {
	h.t.Helper()
	lib, err := Open(h.o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.lib = lib
}

func (h *house) start() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	lib := h.lib
	lib.running.Store(true) // a question waits, also before the goroutines began
	go func() { defer close(ended); lib.Run(ctx) }()
	h.stop = func() { cancel(); <-ended }
}

func (h *house) end() {
	if h.stop == nil {
		return
	}
	h.stop()
	h.stop = nil
	if err := h.lib.Close(); err != nil {
		h.t.Error(err)
	}
	if p, ok := h.o.Decoder.(*decode.Pool); ok {
		p.Close()
	}
}

// restart ends the library and opens it again; between may change its directory.
func (h *house) restart(between func()) {
	h.t.Helper()
	h.stop()
	if err := h.lib.Close(); err != nil {
		h.t.Fatal(err)
	}
	if between != nil {
		between()
	}
	h.open()
	h.start()
}

func (h *house) at(path string) holdfast.ID {
	h.t.Helper()
	at, err := h.core.Locate(h.t.Context(), h.alice, h.alice.Account, strings.Split(path, "/"))
	if err != nil || len(at.Rest) > 0 {
		h.t.Fatalf("%s: %v, %q", path, err, at.Rest)
	}
	return at.Collection.ID
}

func (h *house) mkdir(parent holdfast.ID, name string) holdfast.ID {
	h.t.Helper()
	id, _, err := h.core.MakeCollection(h.t.Context(), h.alice, core.NewCollection{Owner: h.alice.Account, Parent: parent, Name: name, Type: holdfast.TypeFolder})
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

func (h *house) place(c holdfast.ID, name string) core.Place {
	return core.Place{Owner: h.alice.Account, Collection: c, Name: name}
}

func (h *house) put(c holdfast.ID, name string, octets []byte) holdfast.Hash {
	h.t.Helper()
	_, etag, err := h.core.PutFile(h.t.Context(), h.alice, core.FileRequest{Place: h.place(c, name), Octets: bytes.NewReader(octets), Size: int64(len(octets))})
	if err != nil {
		h.t.Fatal(err)
	}
	return etag
}

func (h *house) delete(c holdfast.ID, name string) {
	h.t.Helper()
	if _, err := h.core.Delete(h.t.Context(), h.alice, h.place(c, name), holdfast.Precondition{}, nil); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) move(c holdfast.ID, name string, to holdfast.ID, as string) {
	h.t.Helper()
	if _, err := h.core.Move(h.t.Context(), h.alice, core.Transfer{From: h.place(c, name), To: h.place(to, as)}); err != nil {
		h.t.Fatal(err)
	}
}

// list asks for a page, until that has everything that the store shows.
func (h *house) list(q Query) Page {
	h.t.Helper()
	for end := clock.System.Now().Add(time.Minute); ; {
		page, err := h.lib.Photos(h.t.Context(), h.alice, h.alice.Account, q)
		if err != nil {
			h.t.Fatal(err)
		}
		if !page.Behind {
			return page
		}
		if clock.System.Now().After(end) {
			h.t.Fatal("the index is behind after a minute")
		}
	}
}

// settled waits until nothing waits any more: all was read, and thumbnails were made if there are decoders.
func (h *house) settled() Status {
	h.t.Helper()
	h.list(Query{})
	if _, err := h.lib.Photos(h.t.Context(), h.bob, h.bob.Account, Query{}); err != nil { // his account was looked at too
		h.t.Fatal(err)
	}
	for end := clock.System.Now().Add(2 * time.Minute); ; {
		moved := h.lib.moved.next()
		left := int64(0)
		st, err := h.lib.Status(h.t.Context())
		if err == nil && h.o.Decoder == nil {
			err = h.lib.read(h.t.Context(), func(c *conn) (err error) {
				left, err = c.count("SELECT count(*) FROM content WHERE state = 0")
				return err
			})
		} else {
			left = st.Waiting
		}
		switch {
		case err != nil:
			h.t.Fatal(err)
		case left == 0:
			return st
		case clock.System.Now().After(end):
			h.t.Fatalf("it is not settled after two minutes: %+v", st)
		}
		_ = h.lib.await(h.t.Context(), moved, 50*time.Millisecond)
	}
}

func names(p Page) string {
	var out []string
	for i := range p.Photos {
		out = append(out, p.Photos[i].Name)
	}
	return strings.Join(out, " ")
}

func (h *house) want(q Query, list string) {
	h.t.Helper()
	if got := names(h.list(q)); got != list {
		h.t.Errorf("there are %q, not %q", got, list)
	}
}

// exif is a JPEG of a small picture that says when it was taken; seed makes it another one.
func exif(t testing.TB, taken string, seed int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range m.Pix {
		m.Pix[i] = byte(i*seed ^ seed>>8)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	if taken == "" {
		return b.Bytes()
	}
	// TIFF: IFD0 with a pointer to the EXIF IFD, which has DateTimeOriginal (20 octets).
	tiff := []byte("MM\x00*\x00\x00\x00\x08")
	tiff = append(tiff, 0, 1, 0x87, 0x69, 0, 4, 0, 0, 0, 1, 0, 0, 0, 26, 0, 0, 0, 0)
	tiff = append(tiff, 0, 1, 0x90, 0x03, 0, 2, 0, 0, 0, 20, 0, 0, 0, 44, 0, 0, 0, 0)
	tiff = append(tiff, (taken + "\x00")...)
	app := append([]byte("Exif\x00\x00"), tiff...)
	head := []byte{0xff, 0xd8, 0xff, 0xe1}
	head = binary.BigEndian.AppendUint16(head, uint16(len(app)+2))
	return append(append(head, app...), b.Bytes()[2:]...)
}

// bomb is a PNG that says it has very many pixels.
func bomb(t testing.TB) []byte {
	var b bytes.Buffer
	m := image.NewPaletted(image.Rect(0, 0, 30_000, 30_000), color.Palette{color.Black, color.White})
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// corpusDir gives photos of real cameras, which are not part of this repository.
func corpusDir(t testing.TB) string {
	dir := os.Getenv("HOLDFAST_PHOTOS")
	if dir == "" {
		dir = "../../../shared/corpus/photos"
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus of photos was not found (HOLDFAST_PHOTOS): %v", err)
		}
		t.Skipf("the corpus of photos was not found (HOLDFAST_PHOTOS): %v", err)
	}
	return dir
}

func corpusFile(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join(corpusDir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// count runs a query of one number.
func (c *conn) count(sql string, args ...any) (n int64, err error) {
	return n, c.each(sql, func(s *sqlitedb.Stmt) error { n = s.ColumnInt64(0); return nil }, args...)
}

// dump writes out what the index says, without what depends on when it was made.
func (c *conn) dump() (string, error) {
	var b strings.Builder
	for _, sql := range []string{
		"SELECT hex(id), founded FROM account ORDER BY 1", "SELECT hex(id), seq, album, title FROM folder ORDER BY 1", "SELECT hex(acct), month, photos FROM month ORDER BY 1, 2",
		"SELECT hex(acct), item, hex(coll), name, hex(hash), size, seq, favorite, lost, claims, wall, month, film, pair, shown FROM photo ORDER BY 1, 2",
		"SELECT DISTINCT hex(content.acct), hex(content.hash), state, kind, content.wall, zone, camera, lat FROM content JOIN photo ON photo.acct = content.acct AND photo.hash = content.hash ORDER BY 1, 2",
		"SELECT hex(album), name, hex(hash), hex(coll), file FROM member ORDER BY 1, 2",
	} {
		if err := c.each(sql, func(s *sqlitedb.Stmt) error {
			for i := range s.ColumnCount() {
				fmt.Fprintf(&b, "%s ", s.ColumnText(i))
			}
			b.WriteByte('\n')
			return nil
		}); err != nil {
			return "", err
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
