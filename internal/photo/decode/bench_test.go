package decode

import (
	"image"
	"image/draw"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/photo"
)

// scene has gradients, edges and grain, as a photo has: 12 megapixels of it make a JPEG of about 4 MB.
func scene(w, h int) image.Image {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	seed := uint32(1)
	for y := range h {
		for x := range w {
			seed = seed*1664525 + 1013904223
			v := 128 + 60*math.Sin(float64(x)/97)*math.Cos(float64(y)/61)
			if (x/190+y/130)%2 == 0 {
				v += 30
			}
			m.Y[y*m.YStride+x] = byte(v) + byte(seed>>29)
		}
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = byte(100+i%m.CStride*40/m.CStride), byte(110+i/m.CStride*40/(h/2))
	}
	return m
}

func benchmarkThumbs(b *testing.B, file []byte) {
	const workers = 2
	p := newPool(b, "decode-worker", workers)
	for range workers { // the children are begun
		if _, err := thumbsOf(b, p, file); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(file)))
	b.ResetTimer()
	photos := make(chan int)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for range photos {
				if _, err := thumbsOf(b, p, file); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		photos <- i
	}
	close(photos)
	wait.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "photos/s")
	var cpu time.Duration
	var memory int64
	for range workers {
		c := <-p.idle
		c.end()
		p.idle <- nil
		cpu += c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
		if u, ok := c.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			memory = max(memory, u.Maxrss)
		}
	}
	b.ReportMetric(cpu.Seconds()/float64(b.N+workers), "cpu-s/photo") // with the children's beginning
	b.ReportMetric(float64(memory)/1024, "MiB/child")
}

// BenchmarkThumbs makes both thumbnails and the hash of a photo of 12 megapixels, two children at a time.
func BenchmarkThumbs(b *testing.B) {
	b.Run("JPEG", func(b *testing.B) { benchmarkThumbs(b, jpegOf(b, scene(4032, 3024))) })
	b.Run("HEIC", func(b *testing.B) {
		file, err := os.ReadFile(filepath.Join(corpusDir(b), "iphone_13_pro_max.HEIC"))
		if err != nil {
			b.Fatal(err)
		}
		benchmarkThumbs(b, file)
	})
}

// BenchmarkThumbsAlone is the work of a child, without one.
func BenchmarkThumbsAlone(b *testing.B) {
	file := jpegOf(b, scene(4032, 3024))
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := thumbs(file, request{Kind: photo.JPEG, Orientation: 6}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKinds is the work of a child for a screenshot of 12 megapixels in other kinds of pictures.
func BenchmarkKinds(b *testing.B) {
	m := scene(4032, 3024)
	nrgba := image.NewNRGBA(m.Bounds())
	draw.Draw(nrgba, nrgba.Rect, m, image.Point{}, draw.Src)
	nrgba.Pix[3] = 0 // one transparent pixel
	for name, m := range map[string]image.Image{"PNG": m, "PNG with alpha": nrgba} {
		file := encoded(b, func(w io.Writer) error { return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, m) })
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := thumbs(file, request{Kind: photo.PNG, Orientation: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
