package decode

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/photo"
)

func ffmpeg(t *testing.T) string {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("ffmpeg is not installed")
		}
		t.Skip("ffmpeg is not installed: posters of films are not tried")
	}
	return path
}

func filmPool(t *testing.T, ffmpeg string) *Pool {
	c := Config{Workers: 1, Timeout: 30 * time.Second, Clock: clock.System}
	c.Command, c.Film = Commands(os.Args[0], ffmpeg)
	p := NewPool(c)
	t.Cleanup(p.Close)
	return p
}

func film(t *testing.T) []byte {
	b, err := os.ReadFile("testdata/quadrants.mp4")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// turnedFilm has the matrix of a quarter turn in its track.
func turnedFilm(t *testing.T) []byte {
	b := film(t)
	at := bytes.Index(b, []byte("tkhd")) + 4 + 40
	for i, v := range []int32{0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30} {
		binary.BigEndian.PutUint32(b[at+4*i:], uint32(v))
	}
	return b
}

func TestPoster(t *testing.T) {
	if raced {
		t.Skip("not with the race detector: what becomes ffmpeg is always confined")
	}
	p := filmPool(t, ffmpeg(t))
	for want, b := range map[string][]byte{"RGBW": film(t), "BRWG": turnedFilm(t)} {
		got, err := thumbsOf(t, p, b)
		if err != nil {
			t.Fatal(err)
		}
		if c := corners(t, got.Large); c != want || (got.LargeWidth < got.LargeHeight) != (want == "BRWG") {
			t.Errorf("is %d x %d, %s, want %s", got.LargeWidth, got.LargeHeight, c, want)
		}
	}
	bad := film(t)
	at := bytes.Index(bad, []byte("avcC"))
	clear(bad[at+4 : at+40])
	_, err := thumbsOf(t, p, bad)
	var u *Undecodable
	if !errors.As(err, &u) {
		t.Errorf("a film without its coding: %v", err)
	}
	if _, err := thumbsOf(t, p, film(t)); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestNoFFmpeg: without it there are no posters, which is no verdict on the film.
func TestNoFFmpeg(t *testing.T) {
	_, err := thumbsOf(t, filmPool(t, ""), film(t))
	if !errors.Is(err, ErrNoFilms) {
		t.Error(err)
	}
	if raced {
		return // what becomes ffmpeg is always confined
	}
	_, err = thumbsOf(t, filmPool(t, "/does/not/exist"), film(t))
	var u *Undecodable
	if err == nil || errors.As(err, &u) || !strings.Contains(err.Error(), "/does/not/exist") {
		t.Error(err)
	}
}

// TestFrameIsSmall: what is sent holds one frame, and the film says the same of itself.
func TestFrameIsSmall(t *testing.T) {
	whole := film(t)
	far := append(bytes.Clone(whole), make([]byte, 1<<20)...)
	for name, b := range map[string][]byte{"whole": whole, "with more behind": far, "turned": turnedFilm(t)} {
		one, err := photo.Frame(context.Background(), bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before, err1 := photo.Read(context.Background(), bytes.NewReader(b), int64(len(b)), "")
		after, err2 := photo.Read(context.Background(), bytes.NewReader(one), int64(len(one)), "")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if len(one) > 2000 || after.Width != before.Width || after.Orientation != before.Orientation || before.Width == 0 {
			t.Errorf("%s: %d octets, %+v, before %+v", name, len(one), after, before)
		}
	}
	for _, cut := range []int{0, 40, len(whole) / 2, len(whole) - 300} {
		b := whole[:cut]
		if _, err := photo.Frame(context.Background(), bytes.NewReader(b), int64(len(b))); !errors.Is(err, photo.ErrNoFrame) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}
