package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/sim/server"
)

// scrubMix is what a store holds while it is read again.
type scrubMix struct {
	name  string
	sizes []int // of bodies, one after the other
	total int64
}

// scrubMixes: small contacts, contacts with a photograph, what is as large as the largest events, and an address book in which each tenth contact has a photograph.
func (b *bench) scrubMixes() []scrubMix {
	list := []scrubMix{{"600 octets", []int{600}, 80 << 20}, {"40 KiB", []int{40 << 10}, 320 << 20}, {"1 MiB", []int{1 << 20}, 400 << 20},
		{"600 octets, each tenth 40 KiB", []int{600, 600, 600, 600, 600, 600, 600, 600, 600, 40 << 10}, 240 << 20}}
	if b.quick {
		for i := range list {
			list[i].total /= 8
		}
	}
	return list
}

// scrubs measures how fast the engine, and a vault, are read again at no rate, beside the disk's own sequential read of the same files: with the files in the system's cache, and without.
func (b *bench) scrubs(ctx context.Context) error {
	for i, m := range b.scrubMixes() {
		if err := b.scrubOf(ctx, m, filepath.Join(b.dir, fmt.Sprint("scrub", i))); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) scrubOf(ctx context.Context, m scrubMix, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data := filepath.Join(dir, "data")
	o := server.Options{Bin: b.bin, Data: data, Env: map[string]string{"HOLDFAST_SCRUB_RATE": "0", "HOLDFAST_SCRUB_EVERY": "1000h", "HOLDFAST_DRILL_FIRST": "24h", "HOLDFAST_VAULT_SEAL": "2s", "HOLDFAST_VAULT_SEGMENT_AGE": "1s"}}
	s, err := server.Start(ctx, o)
	if err != nil {
		return err
	}
	if err = b.fillCards(ctx, s, m, filepath.Join(dir, "cards.vcf")); err == nil {
		time.Sleep(5 * time.Second) // what is full is sealed
	}
	if err = errors.Join(err, s.Stop()); err != nil {
		return err
	}
	if s, err = server.Start(ctx, o); err != nil { // anew, with nothing in its own caches
		return err
	}
	defer s.Stop()
	time.Sleep(2 * time.Second) // nobody is served any more
	var round struct{ Octets, Changes int64 }
	var read struct{ Octets, Changes int64 }
	for _, x := range []struct {
		what, of string
		dir      string
		out      any
		args     []string
		figures  func() (octets, changes int64)
	}{
		{"the engine read again", "in bodies", data, &round, []string{"scrub"}, func() (int64, int64) { return round.Octets, round.Changes }},
		{"a vault read again", "in its objects", filepath.Join(dir, "holdfast-vault"), &read, []string{"vault", "scrub", "local"}, func() (int64, int64) { return read.Octets, read.Changes }},
	} {
		for _, cold := range []bool{false, true} {
			if cold && forgets == "" {
				b.note("%s, cold: this system has no call for that; not measured", x.what)
				continue
			}
			disk, err := sequential(x.dir, cold)
			if err != nil {
				return err
			}
			if cold {
				if _, err := eachFile(x.dir, forget); err != nil {
					return err
				}
			}
			before, err := s.CPU()
			if err != nil {
				return err
			}
			began := time.Now()
			if err := s.Run(ctx, x.out, x.args...); err != nil {
				return err
			}
			took := time.Since(began).Seconds()
			after, err := s.CPU()
			if err != nil {
				return err
			}
			octets, changes := x.figures()
			name, note := "cached", "with the command's start"
			if cold {
				name, note = "from disk", forgets
			}
			f := figure{Name: fmt.Sprintf("%s, bodies of %s, %s", x.what, m.name, name), Value: float64(octets) / (1 << 20) / took, Unit: "MiB/s", Goal: 300,
				Note: fmt.Sprintf("%s MiB %s, %sin %.1f s and %.1f s of the processor; %s", mebi(octets), x.of, perSecond(changes, took), took, (after - before).Seconds(), note)}
			f.beside(f.Value/disk, fmt.Sprintf("of a plain read of the same files, %.0f MiB/s", disk))
			b.report.add(f)
		}
	}
	return s.Stop()
}

// perSecond says how many changes were read a second, where any were opened.
func perSecond(changes int64, took float64) string {
	if changes == 0 {
		return ""
	}
	return number(float64(changes)/took) + " changes/s, "
}

// fillCards writes contacts as a phone exports them, and takes them in.
func (b *bench) fillCards(ctx context.Context, s *server.Server, m scrubMix, file string) error {
	if _, err := s.AddAccount(ctx, "alice@example.org"); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	w, r := bufio.NewWriterSize(f, 1<<20), rand.New(rand.NewPCG(1, 1))
	for i, n := 0, int64(0); n < m.total; i++ {
		card := cardOf(r, i, m.sizes[i%len(m.sizes)])
		n += int64(len(card))
		if _, err := w.WriteString(card); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return err
	}
	return command(ctx, nil, b.bin, "import", "alice@example.org", file, "--data", s.Data)
}

// cardOf returns a contact of about n octets, most of them such as a photograph has.
func cardOf(r *rand.Rand, i, n int) string {
	var c strings.Builder
	fmt.Fprintf(&c, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:scrub-%d\r\nFN:Person %d\r\nN:%d;Person;;;\r\nPHOTO;ENCODING=b;TYPE=JPEG:", i, i, i)
	raw := make([]byte, max(16, (n-c.Len()-30)*3/4))
	for k := range raw {
		raw[k] = byte(r.Uint32())
	}
	for rest := base64.StdEncoding.EncodeToString(raw); rest != ""; {
		k := min(72, len(rest))
		if c.WriteString(rest[:k]); len(rest) > k {
			c.WriteString("\r\n ")
		}
		rest = rest[k:]
	}
	c.WriteString("\r\nEND:VCARD\r\n")
	return c.String()
}

// eachFile calls fn with each file that holds more than a little, and returns their octets.
func eachFile(dir string, fn func(*os.File) error) (n int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, "ballast") {
			return err
		}
		f, err := os.OpenFile(path, os.O_RDONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // of a name of the moment
		}
		if err != nil {
			return err
		}
		defer f.Close()
		i, err := f.Stat()
		if err == nil {
			n += i.Size()
			err = fn(f)
		}
		return err
	})
	return n, err
}

// sequential returns the MiB/s of a plain read of all files of a directory, one after the other: out of the system's cache, or from the disk.
func sequential(dir string, cold bool) (float64, error) {
	buf := make([]byte, 1<<20)
	read := func(f *os.File) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buf)
		return err
	}
	before := read
	if cold {
		before = forget
	}
	if _, err := eachFile(dir, before); err != nil {
		return 0, err
	}
	began := time.Now()
	n, err := eachFile(dir, read)
	return float64(n) / (1 << 20) / time.Since(began).Seconds(), err
}
