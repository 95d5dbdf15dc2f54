package sim

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/library"
	"holdfast/sim/load"
	"holdfast/sim/server"
)

// camera puts photos by WebDAV, and asks for them by the commands that people type.
type camera struct {
	t *testing.T
	s *server.Server
	a load.Account
}

func (c *camera) url(name string) string {
	return "http://" + c.s.Addr + strings.TrimSuffix(strings.Replace(c.a.Book, "/addressbooks/", "/files/", 1), "default/") + "Photos/" + name
}

func (c *camera) do(method, name string, body []byte, header ...string) (int, []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url(name), bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.SetBasicAuth(c.a.Email, c.a.Password)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, b
}

func (c *camera) put(name string, octets []byte) {
	c.t.Helper()
	if code, b := c.do("PUT", name, octets); code != http.StatusCreated {
		c.t.Fatalf("PUT %s: %d %s", name, code, b)
	}
}

func (c *camera) list(args ...string) (p library.Page) {
	c.t.Helper()
	if err := c.s.Run(c.t.Context(), &p, append([]string{"photos", "list", c.a.Email, "--limit", "1000"}, args...)...); err != nil {
		c.t.Fatal(err)
	}
	return p
}

func (c *camera) status() (st struct{ Photos *library.Status }) {
	c.t.Helper()
	if err := c.s.Run(c.t.Context(), &st, "status"); err != nil {
		c.t.Fatal(err)
	}
	if st.Photos == nil {
		c.t.Fatalf("status says nothing of photos:\n%s", c.s.LogTail())
	}
	return st
}

// settle waits until all that was put is shown and nothing waits.
func (c *camera) settle(photos int) {
	c.t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		st := c.status().Photos
		if st.Waiting == 0 && st.Photos == int64(photos) {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("after three minutes: %+v\n%s", st, c.s.LogTail())
		}
	}
}

// picture is a JPEG of so many pixels, each another one.
func picture(t *testing.T, w, h, n int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = byte((i/7)*(n+1) ^ n)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// corpus are photos of real cameras, which are not part of this repository; none where they are not there.
func corpus(t *testing.T) map[string][]byte {
	dir := os.Getenv("HOLDFAST_PHOTOS")
	if dir == "" {
		dir = "../../shared/corpus/photos"
	}
	list, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(list) == 0 {
		if ci() {
			t.Fatalf("the corpus of photos was not found (HOLDFAST_PHOTOS): %v", err)
		}
		t.Log("the corpus of photos was not found (HOLDFAST_PHOTOS): pictures that are made here stand for it")
	}
	out := map[string][]byte{}
	for _, file := range list {
		if out[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestPhotos puts photos by WebDAV, with a bomb and a lie among them, and asks for them by the command line, over restarts and over the loss of all that is derived. What was put comes back octet for octet.
func TestPhotos(t *testing.T) {
	o := server.Options{Bin: program(t), Data: t.TempDir() + "/data", Env: map[string]string{"HOLDFAST_PHOTOS_RESERVE": "1MiB"}}
	s := start(t, o)
	a, err := s.AddAccount(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	c := &camera{t, s, a}
	octets := corpus(t)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, image.NewPaletted(image.Rect(0, 0, 30_000, 30_000), color.Palette{color.Black})); err != nil {
		t.Fatal(err)
	}
	octets["bomb.png"], octets["lie.jpg"] = b.Bytes(), []byte("this is no photo, whatever its name says")
	for i := range 5 {
		octets[fmt.Sprintf("IMG_20091003_14050%d.jpg", i)] = picture(t, 400, 300, i)
	}
	for name, x := range octets {
		c.put(name, x)
	}
	favorite := `<?xml version="1.0"?><d:propertyupdate xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:set><d:prop><oc:favorite>1</oc:favorite></d:prop></d:set></d:propertyupdate>`
	if code, b := c.do("PROPPATCH", "IMG_20091003_140503.jpg", []byte(favorite)); code != http.StatusMultiStatus {
		t.Errorf("PROPPATCH: %d %s", code, b)
	}
	check := func() {
		t.Helper()
		c.settle(len(octets))
		states := map[library.State]int{}
		for _, p := range c.list().Photos {
			states[p.State]++
			if bad := p.Name == "bomb.png" || p.Name == "lie.jpg" || p.Name == "corrupted.jpg"; bad != (p.State == library.Undecodable) || bad == (p.Why == "") {
				t.Errorf("%s is %s: %s", p.Name, p.State, p.Why)
			}
		}
		if p := c.list("--from", "2009-10-03", "--to", "2009-10-03", "--name", "img_"); len(p.Photos) != 5 || p.Photos[0].Name != "IMG_20091003_140504.jpg" {
			t.Errorf("of that day: %+v", p)
		}
		if p := c.list("--favorites"); len(p.Photos) != 1 || p.Photos[0].Name != "IMG_20091003_140503.jpg" {
			t.Errorf("favourites: %+v", p)
		}
		for name, x := range octets {
			if code, b := c.do("GET", name, nil); code != http.StatusOK || !bytes.Equal(b, x) {
				t.Errorf("%s came back as %d octets, %d", name, len(b), code)
			}
		}
	}
	check()
	var doctor struct {
		Checks []struct{ Name, Result, Detail string }
	}
	_ = s.Run(t.Context(), &doctor, "doctor") // what else it finds is not asked
	found := false
	for _, x := range doctor.Checks {
		found = found || x.Name == "photos" && x.Result == "ok" && strings.Contains(x.Detail, "indexed")
	}
	if !found {
		t.Errorf("doctor says nothing of photos: %+v", doctor.Checks)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(o.Data, "photos")); err != nil {
		t.Fatal(err)
	}
	c.s = start(t, o)
	check()
	if err := c.s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// TestPhotosThroughKills kills the server while it indexes, again and again: every photo that was stored is shown with its thumbnails in the end, and no child of a killed server stays behind.
func TestPhotosThroughKills(t *testing.T) {
	const photos, kills = 40, 5
	o := server.Options{Bin: program(t), Data: t.TempDir() + "/data", Env: map[string]string{"HOLDFAST_PHOTOS_RESERVE": "1MiB"}}
	s := start(t, o)
	a, err := s.AddAccount(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	c := &camera{t, s, a}
	for i := range photos {
		c.put(fmt.Sprintf("%02d.jpg", i), picture(t, 1200, 900, i))
		if i%(photos/kills) == photos/kills-1 {
			time.Sleep(time.Duration(i*10) * time.Millisecond)
			if err := c.s.Kill(); err != nil {
				t.Fatal(err)
			}
			c.s = start(t, o)
		}
	}
	c.settle(photos)
	for _, p := range c.list().Photos {
		if p.State != library.Ready {
			t.Errorf("%s is %s: %s", p.Name, p.State, p.Why)
		}
	}
	if err := c.s.Stop(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		left := children(t, o.Bin)
		if left == "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("these are left: %s", left)
		}
	}
}

// children lists processes that decode for a program.
func children(t *testing.T, bin string) string {
	list, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, file := range list {
		b, _ := os.ReadFile(file) // it may have ended
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(file), "exe"))
		if strings.HasPrefix(exe, bin) && bytes.Contains(b, []byte("decode-worker")) {
			out = append(out, filepath.Base(filepath.Dir(file)))
		}
	}
	return strings.Join(out, " ")
}
