package decode

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/photo"

	"golang.org/x/image/tiff"
)

// becomeProbe is what stands in ffmpeg's place, where there is one.
var becomeProbe func()

// TestMain is the child too: the real one, and others that fail in the ways of which children fail.
func TestMain(m *testing.M) {
	if os.Args[0] == "ffmpeg" && becomeProbe != nil {
		becomeProbe()
	}
	if len(os.Args) < 2 || !strings.HasSuffix(os.Args[1], "-worker") {
		os.Exit(m.Run())
	}
	if len(os.Args) == 4 && os.Args[2] == "--film" {
		fmt.Fprintln(os.Stderr, BecomeFilm(os.Args[3]))
		os.Exit(1)
	}
	if !raced {
		if err := Confine(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	out := os.Stdout
	os.Stdout = os.Stderr
	if err := beChild(os.Args[1], out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func childOf(kind string) func() *exec.Cmd {
	return func() *exec.Cmd {
		c := exec.Command(os.Args[0], kind)
		c.Env = []string{"GOMAXPROCS=1"}
		return c
	}
}

// poison is a photo at which the children of tests fail.
var poison = []byte("poison")

func beChild(kind string, out io.Writer) error {
	if kind == "decode-worker" {
		return Serve(os.Stdin, out)
	}
	for served := 0; ; served++ {
		var q request
		if err := readHeader(os.Stdin, &q); err != nil {
			return nil
		}
		b := make([]byte, q.Octets)
		if _, err := io.ReadFull(os.Stdin, b); err != nil {
			return err
		}
		if kind == "frail-worker" && served == 1 {
			return errors.New("it was the second photo")
		}
		if bytes.HasSuffix(b, poison) {
			misbehave(kind, out)
		}
		t, err := thumbs(b, q)
		if err := reply(bufio.NewWriter(out), t, err); err != nil {
			return err
		}
	}
}

func misbehave(kind string, out io.Writer) {
	switch kind {
	case "hanging-worker":
		for {
			time.Sleep(time.Hour)
		}
	case "spinning-worker": // with so many threads that it has a processor, whatever else runs
		const threads = 128
		runtime.GOMAXPROCS(threads)
		for range threads {
			go func() {
				for {
				}
			}()
		}
		select {}
	case "crashing-worker":
		os.Exit(3)
	case "hungry-worker":
		var all [][]byte
		for {
			b := make([]byte, 64<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
		}
	case "lying-worker":
		out.Write([]byte{0xff, 0xff, 0xff, 0xff})
	case "boasting-worker":
		writeHeader(out, answer{Square: 1 << 40, Large: 1})
	case "writing-worker":
		_, err := os.Create(os.TempDir() + "/holdfast-was-here")
		panic(fmt.Sprint("opening says: ", err))
	}
}

func newPool(t testing.TB, kind string, workers int) *Pool {
	p := NewPool(Config{Command: childOf(kind), Workers: workers, Timeout: 30 * time.Second, Clock: clock.System})
	t.Cleanup(p.Close)
	return p
}

// thumbsOf reads and asks, as the service does.
func thumbsOf(t testing.TB, p *Pool, b []byte) (*Thumbs, error) {
	return p.Thumbs(context.Background(), bytes.NewReader(b), int64(len(b)), infoOf(t, b))
}

func infoOf(t testing.TB, b []byte) photo.Info {
	info, err := photo.Read(context.Background(), bytes.NewReader(b), int64(len(b)), "")
	if err != nil {
		t.Fatal(err)
	}
	return info
}

var (
	red, green, blue, white = color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}, color.RGBA{255, 255, 255, 255}
	letters                 = map[byte]color.RGBA{'R': red, 'G': green, 'B': blue, 'W': white}
)

// quadrants is red, green, blue and white, from the upper left.
func quadrants(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i, c := range []color.RGBA{red, green, blue, white} {
		x, y := i%2*((w+1)/2), i/2*((h+1)/2)
		draw.Draw(m, image.Rect(x, y, x+(w+1)/2, y+(h+1)/2), image.NewUniform(c), image.Point{}, draw.Src)
	}
	return m
}

// corners reads a JPEG's four corners back as letters.
func corners(t *testing.T, b []byte) string {
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r, text := m.Bounds(), ""
	for _, p := range []image.Point{{r.Dx() / 8, r.Dy() / 8}, {r.Dx() * 7 / 8, r.Dy() / 8}, {r.Dx() / 8, r.Dy() * 7 / 8}, {r.Dx() * 7 / 8, r.Dy() * 7 / 8}} {
		found := "?"
		cr, cg, cb, _ := m.At(p.X, p.Y).RGBA()
		for l, c := range letters {
			near := func(v uint32, w byte) bool { return max(int(v>>8), int(w))-min(int(v>>8), int(w)) < 60 }
			if near(cr, c.R) && near(cg, c.G) && near(cb, c.B) {
				found = string(l)
			}
		}
		text += found
	}
	return text
}

func encoded(t testing.TB, write func(io.Writer) error) []byte {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, m image.Image) []byte {
	return encoded(t, func(w io.Writer) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 90}) })
}

func TestKinds(t *testing.T) {
	p, m := newPool(t, "decode-worker", 1), quadrants(64, 48)
	files := map[string][]byte{
		"JPEG": jpegOf(t, m),
		"PNG":  encoded(t, func(w io.Writer) error { return png.Encode(w, m) }),
		"GIF":  encoded(t, func(w io.Writer) error { return gif.Encode(w, m, nil) }),
		"TIFF": encoded(t, func(w io.Writer) error { return tiff.Encode(w, m, nil) }),
	}
	for _, name := range []string{"quadrants.heic", "ten-bits.heic", "quadrants.avif", "quadrants.webp"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = b
	}
	for name, b := range files {
		got, err := thumbsOf(t, p, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c := corners(t, got.Large); c != "RGBW" || got.LargeWidth*3 != got.LargeHeight*4 {
			t.Errorf("%s: the large one is %d x %d, %s", name, got.LargeWidth, got.LargeHeight, c)
		}
		if c := corners(t, got.Square); c != "RGBW" {
			t.Errorf("%s: the square is %s", name, c)
		}
		if len(got.Hash) < 15 {
			t.Errorf("%s: the hash is %x", name, got.Hash)
		}
	}
}

// TestTurned turns by EXIF's orientation, and leaves what a decoder has turned by itself.
func TestTurned(t *testing.T) {
	p := newPool(t, "decode-worker", 1)
	m := jpegOf(t, quadrants(64, 48))
	for o, want := range map[int]string{1: "RGBW", 2: "GRWB", 3: "WBGR", 4: "BWRG", 5: "RBGW", 6: "BRWG", 7: "WGBR", 8: "GWRB"} {
		info := photo.Info{Kind: photo.JPEG, Width: 64, Height: 48, Orientation: o}
		got, err := p.Thumbs(context.Background(), bytes.NewReader(m), int64(len(m)), info)
		if err != nil {
			t.Fatal(err)
		}
		if c := corners(t, got.Large); c != want || (got.LargeWidth < got.LargeHeight) != (o >= 5) {
			t.Errorf("orientation %d: %d x %d, %s, want %s", o, got.LargeWidth, got.LargeHeight, c, want)
		}
	}
	b, err := os.ReadFile("testdata/turned.heic")
	if err != nil {
		t.Fatal(err)
	}
	got, err := thumbsOf(t, p, b)
	if err != nil {
		t.Fatal(err)
	}
	if c := corners(t, got.Large); c != "BRWG" || got.LargeWidth != 192 {
		t.Errorf("HEIC with a turn: %d x %d, %s", got.LargeWidth, got.LargeHeight, c)
	}
}

// TestTurnedAVIF has the turn in a box, which this decoder leaves to us.
func TestTurnedAVIF(t *testing.T) {
	b, err := os.ReadFile("testdata/turned.avif")
	if err != nil {
		t.Fatal(err)
	}
	got, err := thumbsOf(t, newPool(t, "decode-worker", 1), b)
	if err != nil {
		t.Fatal(err)
	}
	if c := corners(t, got.Large); c != "BRWG" || got.LargeWidth != 48 {
		t.Errorf("is %d x %d, %s", got.LargeWidth, got.LargeHeight, c)
	}
}

func TestSizes(t *testing.T) {
	p := newPool(t, "decode-worker", 1)
	for _, c := range []struct{ w, h, lw, lh, side int }{{3400, 2550, 1600, 1200, 256}, {2401, 3203, 1199, 1600, 256}, {1601, 10, 1600, 10, 10}, {5000, 1, 1600, 1, 1}, {1, 1, 1, 1, 1}, {300, 200, 300, 200, 200}} {
		for kind, b := range map[string][]byte{"JPEG": jpegOf(t, quadrants(c.w, c.h)), "gray": jpegOf(t, image.NewGray(image.Rect(0, 0, c.w, c.h)))} {
			got, err := thumbsOf(t, p, b)
			if err != nil {
				t.Errorf("%s %d x %d: %v", kind, c.w, c.h, err)
				continue
			}
			s, err := jpeg.DecodeConfig(bytes.NewReader(got.Square))
			if err != nil || s.Width != c.side || s.Height != c.side || got.LargeWidth != c.lw || got.LargeHeight != c.lh {
				t.Errorf("%s %d x %d: large %d x %d, square %d x %d, %v", kind, c.w, c.h, got.LargeWidth, got.LargeHeight, s.Width, s.Height, err)
			}
			if kind == "JPEG" && c.w > 100 && c.h > 100 && corners(t, got.Large) != "RGBW" {
				t.Errorf("%d x %d: %s", c.w, c.h, corners(t, got.Large))
			}
		}
	}
}

// TestRawPreview sends only the preview, turned as the RAW file says.
func TestRawPreview(t *testing.T) {
	preview := jpegOf(t, quadrants(64, 48))
	file := append(append(make([]byte, 1000), preview...), make([]byte, 500)...)
	info := photo.Info{Kind: photo.NEF, Orientation: 8, Preview: &photo.Preview{Offset: 1000, Length: int64(len(preview)), Width: 64, Height: 48}}
	got, err := newPool(t, "decode-worker", 1).Thumbs(context.Background(), bytes.NewReader(file), int64(len(file)), info)
	if err != nil {
		t.Fatal(err)
	}
	if c := corners(t, got.Large); c != "GWRB" {
		t.Errorf("is %s", c)
	}
}

func TestTransparentIsOnWhite(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	for i := range m.Pix {
		m.Pix[i] = []byte{255, 0, 0, 0}[i%4]
	}
	b := encoded(t, func(w io.Writer) error { return png.Encode(w, m) })
	got, err := thumbsOf(t, newPool(t, "decode-worker", 1), b)
	if err != nil {
		t.Fatal(err)
	}
	if c := corners(t, got.Large); c != "WWWW" {
		t.Errorf("is %s", c)
	}
	if got.Hash[2]&0x80 == 0 {
		t.Errorf("the hash %x knows no transparency", got.Hash)
	}
}

// TestAChildThatFails has children hang, crash, eat memory, lie and write at one photo. It is undecodable, and the next photo is not.
func TestAChildThatFails(t *testing.T) {
	good := jpegOf(t, quadrants(64, 48))
	bad := append(bytes.Clone(good), poison...)
	for kind, want := range map[string]string{
		"crashing-worker": "exit status 3",
		"hungry-worker":   "the decoder ended", // the runtime says so in several ways
		"lying-worker":    "the decoder ended",
		"boasting-worker": "the decoder ended",
		"writing-worker":  "too many open files",
	} {
		if raced && (kind == "hungry-worker" || kind == "writing-worker") {
			t.Logf("%s is not tried with the race detector: its child is not confined", kind)
			continue
		}
		p := newPool(t, kind, 1)
		for range 2 {
			_, err := thumbsOf(t, p, bad)
			var u *Undecodable
			if !errors.As(err, &u) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", kind, err)
			}
			if _, err := thumbsOf(t, p, good); err != nil {
				t.Errorf("%s: the next photo: %v", kind, err)
			}
		}
		if _, err := os.Stat(os.TempDir() + "/holdfast-was-here"); err == nil {
			t.Errorf("%s wrote a file", kind)
		}
	}
}

// TestAChildThatIsLate: one that has spent its time on a processor blames the photo, one that waited for a processor does not.
func TestAChildThatIsLate(t *testing.T) {
	good := jpegOf(t, quadrants(64, 48))
	bad := append(bytes.Clone(good), poison...)
	late := func(kind string, timeout time.Duration) error {
		p := newPool(t, kind, 1)
		p.c.Timeout = timeout
		_, err := thumbsOf(t, p, bad)
		p.c.Timeout = 30 * time.Second
		if _, err := thumbsOf(t, p, good); err != nil {
			t.Errorf("%s: the next photo: %v", kind, err)
		}
		return err
	}
	if err := late("hanging-worker", time.Second); !errors.Is(err, ErrStarved) {
		t.Errorf("a child that had no processor: %v", err)
	}
	var u *Undecodable
	err := ErrStarved
	for d := time.Second; errors.Is(err, ErrStarved) && d < time.Minute; d *= 2 { // other tests may keep the processors
		err = late("spinning-worker", d)
	}
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a child that does not end: %v", err)
	}
}

// TestAnIllChildIsNobodysFault has children that end at their second photo, whichever that is.
func TestAnIllChildIsNobodysFault(t *testing.T) {
	p, good := newPool(t, "frail-worker", 1), jpegOf(t, quadrants(64, 48))
	for i := range 4 {
		if _, err := thumbsOf(t, p, good); err != nil {
			t.Fatalf("photo %d: %v", i, err)
		}
	}
}

// TestRest ends children that have nothing to do, and nobody is the worse for it.
func TestRest(t *testing.T) {
	p, good := newPool(t, "decode-worker", 2), jpegOf(t, quadrants(64, 48))
	children := func() (n int) {
		for range 2 {
			c := <-p.idle
			if c != nil {
				n++
			}
			p.idle <- c
		}
		return n
	}
	for range 2 {
		if _, err := thumbsOf(t, p, good); err != nil || children() == 0 {
			t.Fatalf("%d children, %v", children(), err)
		}
		if p.Rest(); children() != 0 {
			t.Errorf("%d children are left", children())
		}
	}
	done := make(chan error)
	go func() {
		for range 20 {
			if _, err := thumbsOf(t, p, good); err != nil {
				done <- err
				return
			}
		}
		close(done)
	}()
	for over := false; !over; {
		select {
		case err := <-done:
			if over = true; err != nil {
				t.Error(err)
			}
		default:
			p.Rest()
		}
	}
}

// TestBombs are small files of large pictures, and large claims.
func TestBombs(t *testing.T) {
	p := newPool(t, "decode-worker", 1)
	big := jpegOf(t, quadrants(64, 48))
	at := bytes.Index(big, []byte{0xff, 0xc0})
	copy(big[at+5:], []byte{0xff, 0xff, 0xff, 0xff})
	pngBomb := encoded(t, func(w io.Writer) error { return png.Encode(w, image.NewGray(image.Rect(0, 0, 1, 1))) })
	copy(pngBomb[16:], []byte{0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30})
	binary.BigEndian.PutUint32(pngBomb[29:], crc32.ChecksumIEEE(pngBomb[12:29]))
	for what, b := range map[string][]byte{"JPEG": big, "PNG": pngBomb} {
		for _, info := range []photo.Info{{}, {Kind: map[string]photo.Kind{"JPEG": photo.JPEG, "PNG": photo.PNG}[what], Width: 10, Height: 10, Orientation: 1}} {
			var err error
			if info.Kind == photo.Unknown {
				_, err = thumbsOf(t, p, b)
			} else { // the pool was told lies: the child looks for itself
				_, err = p.Thumbs(context.Background(), bytes.NewReader(b), int64(len(b)), info)
			}
			var u *Undecodable
			if !errors.As(err, &u) || !strings.Contains(err.Error(), "more than are decoded") {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	small := photo.Info{Kind: photo.HEIC, Width: 64, Height: 4000, Orientation: 1}
	if _, err := p.Thumbs(context.Background(), bytes.NewReader(big), int64(len(big)), small); err == nil || !strings.Contains(err.Error(), "128") {
		t.Errorf("a narrow HEIC: %v", err)
	}
	for what, b := range map[string][]byte{"cut": big[:len(big)/2], "text": []byte("hello, this is text"), "nothing": nil} {
		_, err := thumbsOf(t, p, b)
		var u *Undecodable
		if !errors.As(err, &u) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestWhatIsNotThePhotosFault: a file that cannot be read, a caller who leaves, a child that cannot be begun, a pool that is closed.
func TestWhatIsNotThePhotosFault(t *testing.T) {
	good := jpegOf(t, quadrants(64, 48))
	info := photo.Info{Kind: photo.JPEG, Width: 64, Height: 48, Orientation: 1}
	var u *Undecodable
	p := newPool(t, "decode-worker", 1)
	if _, err := p.Thumbs(context.Background(), bytes.NewReader(good[:100]), int64(len(good)), info); err == nil || errors.As(err, &u) {
		t.Errorf("a file that is shorter than its size: %v", err)
	}
	if _, err := thumbsOf(t, p, good); err != nil {
		t.Errorf("after it: %v", err)
	}
	hanging := newPool(t, "hanging-worker", 1)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	bad := append(bytes.Clone(good), poison...)
	if _, err := hanging.Thumbs(ctx, bytes.NewReader(bad), int64(len(bad)), info); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller who leaves: %v", err)
	}
	if _, err := thumbsOf(t, hanging, good); err != nil {
		t.Errorf("after it: %v", err)
	}
	none := NewPool(Config{Command: func() *exec.Cmd { return exec.Command("/does/not/exist") }, Clock: clock.System})
	if _, err := none.Thumbs(context.Background(), bytes.NewReader(good), int64(len(good)), info); err == nil || errors.As(err, &u) {
		t.Errorf("a child that cannot be begun: %v", err)
	}
	none.Close()
	if _, err := none.Thumbs(context.Background(), bytes.NewReader(good), int64(len(good)), info); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed pool: %v", err)
	}
}

// FuzzAnswer is a child that was taken over: what it says is bounded, or refused.
func FuzzAnswer(f *testing.F) {
	var good bytes.Buffer
	picture := jpegOf(f, quadrants(8, 8))
	w := bufio.NewWriter(&good)
	if err := reply(w, &Thumbs{Square: picture, Large: picture, LargeWidth: 8, LargeHeight: 8, Hash: []byte{1, 2, 3}}, nil); err != nil {
		f.Fatal(err)
	}
	if _, err := readThumbs(bytes.NewReader(good.Bytes())); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Add([]byte("\x00\x00\x00\x0e{\"Why\":\"nope\"}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readThumbs(bytes.NewReader(b))
		if err != nil {
			return
		}
		if len(got.Hash) > mostHash || len(got.Square)+len(got.Large) > len(b) || got.LargeWidth > LargeSide || got.LargeHeight > LargeSide || !bytes.HasPrefix(got.Square, []byte{0xff, 0xd8}) {
			t.Errorf("%d x %d, %d and %d octets, hash %x", got.LargeWidth, got.LargeHeight, len(got.Square), len(got.Large), got.Hash)
		}
	})
}

// TestHash compares with vectors that were computed from the definition, in another language.
func TestHash(t *testing.T) {
	for _, c := range []struct {
		w, h  int
		alpha bool
		want  string
	}{
		{32, 24, false, "db180e1d9a6076877088888688678887f3a40ff788"},
		{24, 40, false, "d8e7091c14604687288885985878f6af0597e7"},
		{32, 24, true, "9e3886148c278469907a8658496bf9936f18c0738787877808"},
		{90, 31, false, "dc170a12925555a1727707779ab660d6f8"},
	} {
		m := image.NewNRGBA(image.Rect(0, 0, c.w, c.h))
		for y := range c.h {
			for x := range c.w {
				a := 255
				if c.alpha {
					a = (x*9 + y) % 256
				}
				m.SetNRGBA(x, y, color.NRGBA{byte(x * 8), byte(y * 10), byte(x * y), byte(a)})
			}
		}
		if got := hex.EncodeToString(Hash(m)); got != c.want {
			t.Errorf("%d x %d, transparent %v: is %s, want %s", c.w, c.h, c.alpha, got, c.want)
		}
	}
}
