package decode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/photo"
)

// ErrNoFilms says that no program is there that decodes films. It is no verdict: posters can be made when there is one.
var ErrNoFilms = errors.New("photo: no poster of a film: ffmpeg is not installed")

// FilmArgs are what ffmpeg is called with: one film on standard input, one JPEG on standard output, nothing else opened.
func FilmArgs() []string {
	size := fmt.Sprintf("scale='min(%d,iw)':'min(%d,ih)':force_original_aspect_ratio=decrease", LargeSide, LargeSide)
	return []string{"-v", "error", "-nostdin", "-protocol_whitelist", "pipe", "-threads", "1", "-f", "mov", "-i", "pipe:0",
		"-map", "0:v:0", "-frames:v", "1", "-vf", size, "-c:v", "mjpeg", "-q:v", "3", "-threads", "1", "-f", "image2pipe", "pipe:1"}
}

// poster makes a JPEG of a film's first whole picture, already turned.
func (p *Pool) poster(ctx context.Context, r io.ReaderAt, size int64) ([]byte, error) {
	if p.c.Film == nil {
		return nil, ErrNoFilms
	}
	film, err := photo.Frame(ctx, r, size)
	if errors.Is(err, photo.ErrNoFrame) {
		return nil, undecodable("%v", err)
	}
	if err != nil {
		return nil, err
	}
	cmd, out, words := p.c.Film(), &bounded{most: mostThumb}, &firstWords{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(film), out, words
	cmd.WaitDelay = time.Second // streams that somebody else holds open
	if err := p.run(ctx, cmd); err != nil {
		return nil, err
	}
	if out.b.Len() > 0 && !out.full {
		return out.b.Bytes(), nil
	}
	line, _, _ := bytes.Cut(words.bytes(), []byte("\n"))
	line = line[:min(len(line), 200)]
	switch {
	case bytes.HasPrefix(bytes.TrimPrefix(line, []byte("holdfast: ")), []byte("decode-worker: ")): // it did not come to ffmpeg
		return nil, fmt.Errorf("photo: begin the decoder of films: %s", line)
	case len(line) == 0:
		return nil, undecodable("the film's decoder gave no picture")
	}
	return nil, undecodable("the film's decoder failed: %s", line)
}

// run runs a command to its end, within the pool's time. How it ended is for the caller to see by what it wrote.
func (p *Pool) run(ctx context.Context, cmd *exec.Cmd) error {
	within, cancel := clock.WithTimeout(ctx, p.c.Clock, p.c.Timeout)
	defer cancel()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("photo: begin the decoder of films: %w", err)
	}
	defer context.AfterFunc(within, func() { _ = cmd.Process.Kill() })()
	defer p.untilClosed(func() { _ = cmd.Process.Kill() })()
	_ = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case closed(p.done):
		return ErrClosed
	case within.Err() != nil:
		return p.late(cmd)
	}
	return nil
}

// bounded keeps what is written, up to a limit; more is an error for the writer.
type bounded struct {
	b    bytes.Buffer
	most int
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.b.Len()+len(p) > b.most {
		b.full = true
		return 0, errors.New("more than a poster has")
	}
	return b.b.Write(p)
}
