package main

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"os"
	"os/exec"
	"testing"

	"holdfast/internal/clock"
	"holdfast/internal/photo"
	"holdfast/internal/photo/decode"
)

// TestDecodeWorker has the program itself be the child of a pool.
func TestDecodeWorker(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := decode.NewPool(decode.Config{Clock: clock.System, Command: func() *exec.Cmd {
		c := exec.Command(self, "decode-worker")
		c.Args[0] = "holdfast" // by this name the test is the program
		c.Env = []string{"GOMAXPROCS=1"}
		return c
	}})
	defer p.Close()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 300, 200))); err != nil {
		t.Fatal(err)
	}
	r, size := bytes.NewReader(b.Bytes()), int64(b.Len())
	info, err := photo.Read(context.Background(), r, size, "a.png")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Thumbs(context.Background(), r, size, info)
	if err != nil || got.LargeWidth != 300 || got.LargeHeight != 200 {
		t.Fatalf("%+v, %v", got, err)
	}
}
