package decode

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/photo"
)

// Config says how a pool works.
type Config struct {
	// Command begins a child, whose streams are not set. It is asked for again after each child that ended.
	Command func() *exec.Cmd
	// Film begins ffmpeg, by way of BecomeFilm; nil where there is none.
	Film    func() *exec.Cmd
	Workers int           // children at the same time; 0 means 1
	Timeout time.Duration // for one photo; 0 means three minutes
	Clock   clock.Clock
}

// Pool keeps children and gives them photos. It may be used by several goroutines at once.
type Pool struct {
	c    Config
	idle chan *child     // one place for each child, nil where none was begun
	life context.Context // until it is closed
	stop func()
	once sync.Once
	done <-chan struct{}
}

// NewPool begins no child yet.
func NewPool(c Config) *Pool {
	c.Workers = max(1, c.Workers)
	if c.Timeout <= 0 {
		c.Timeout = 3 * time.Minute
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Pool{c: c, idle: make(chan *child, c.Workers), life: ctx, stop: stop, done: ctx.Done()}
	for range c.Workers {
		p.idle <- nil
	}
	return p
}

// ErrStarved says that a photo was not decoded in time because its child had no processor: the machine was busy. It is no verdict.
var ErrStarved = errors.New("photo: the machine was too busy to decode it in time; it can be tried again")

// late is the verdict on a photo whose child was killed for its time. Half of the time on a processor is enough to blame the photo.
func (p *Pool) late(cmd *exec.Cmd) error {
	if s := cmd.ProcessState; s != nil && s.UserTime()+s.SystemTime() < p.c.Timeout/2 {
		return ErrStarved
	}
	return undecodable("decoding took longer than %v", p.c.Timeout)
}

// ErrClosed is the answer of a pool that was closed.
var ErrClosed = errors.New("photo: the pool of decoders is closed")

// Close ends the children and waits for them.
func (p *Pool) Close() {
	p.once.Do(func() {
		p.stop()
		for range p.c.Workers {
			if c := <-p.idle; c != nil {
				c.end()
			}
		}
	})
}

// Rest ends the children that have nothing to do: each holds what its largest photo took. Others are begun when they are needed.
func (p *Pool) Rest() {
	for range p.c.Workers {
		select {
		case c := <-p.idle:
			if c != nil {
				c.end()
			}
			p.idle <- nil
		default: // it is at work
		}
	}
}

// Thumbs makes the thumbnails of a photo of which info was read. It waits for a child. An *Undecodable error is about the photo; any other is about this
// attempt, and the next one may succeed.
func (p *Pool) Thumbs(ctx context.Context, r io.ReaderAt, size int64, info photo.Info) (*Thumbs, error) {
	q, from, err := plan(size, info)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case c := <-p.idle:
		var t *Thumbs
		t, c, err = p.within(ctx, c, q, r, size, from)
		p.idle <- c
		return t, err
	}
}

// within is Thumbs, with a child's place taken.
func (p *Pool) within(ctx context.Context, c *child, q request, r io.ReaderAt, size, from int64) (*Thumbs, *child, error) {
	if q.Kind.Film() {
		poster, err := p.poster(ctx, r, size)
		if err != nil {
			return nil, c, err
		}
		q = request{Kind: photo.JPEG, Orientation: 1, Octets: int64(len(poster))}
		r, from = bytes.NewReader(poster), 0
	}
	return p.ask(ctx, c, q, io.NewSectionReader(r, from, q.Octets))
}

// Commands are those of the program itself: its hidden command, twice. Without ffmpeg there is none for films.
func Commands(program, ffmpeg string) (command, film func() *exec.Cmd) {
	begin := func(args ...string) *exec.Cmd {
		c := exec.Command(program, append([]string{"decode-worker"}, args...)...)
		c.Args[0] = "holdfast" // whatever the path is called by which it is found
		c.Env, c.Dir = []string{"GOMAXPROCS=1"}, "/"
		return c
	}
	command = func() *exec.Cmd { return begin() }
	if ffmpeg != "" {
		film = func() *exec.Cmd { return begin("--film", ffmpeg) }
	}
	return command, film
}

// narrow is the least width and height of a HEIC that its decoder gives back right: it takes the rows of smaller planes for shorter than they are.
const narrow = 128

// plan says which octets to send, or that it is not worth it.
func plan(size int64, info photo.Info) (q request, from int64, err error) {
	q = request{Kind: info.Kind, Orientation: info.Orientation, Octets: size, Profile: info.Profile}
	most := int64(maxOthers)
	switch {
	case info.Kind.Raw():
		if info.Preview == nil {
			return q, 0, undecodable("the RAW file has no preview inside")
		}
		q.Kind, q.Octets, from = photo.JPEG, info.Preview.Length, info.Preview.Offset
		return q, from, nil
	case info.Kind == photo.HEIC:
		if q.TurnAt = info.TurnAt; q.TurnAt == 0 { // its decoder obeys the boxes that turn it
			q.Orientation = 1
		}
		if min(info.Width, info.Height) < narrow {
			return q, 0, undecodable("its decoder gives wrong pixels of a HEIC below %d pixels", narrow)
		}
	case info.Kind == photo.JPEG:
		most = MaxPixels
	case info.Kind == photo.Unknown:
		return q, 0, undecodable("it is no photo that is known")
	case info.Kind.Film():
		return q, 0, nil // one frame of it is sent, of what size it may be
	}
	if size > MaxOctets {
		return q, 0, undecodable("%d octets are more than are decoded (%d)", size, MaxOctets)
	}
	return q, 0, checkSize(info.Width, info.Height, most)
}

// ask gives the photo to a child, which is begun if there is none. A child that ends meanwhile may have been ill before: the photo is blamed only if a new
// one ends at it too. What is returned as child is whole, or nil.
func (p *Pool) ask(ctx context.Context, c *child, q request, r *io.SectionReader) (*Thumbs, *child, error) {
	for {
		fresh := c == nil
		if fresh {
			var err error
			if c, err = p.begin(); err != nil {
				return nil, nil, err
			}
		}
		t, err := p.one(ctx, c, q, r)
		var bad *Undecodable
		if err == nil || errors.As(err, &bad) && !c.broken {
			return t, c.aged(), err
		}
		c.end()
		if fresh || !c.broken || ctx.Err() != nil {
			return nil, nil, err
		}
		c = nil
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return nil, nil, err
		}
	}
}

// one is one photo at one child.
func (p *Pool) one(ctx context.Context, c *child, q request, r io.Reader) (*Thumbs, error) {
	within, cancel := clock.WithTimeout(ctx, p.c.Clock, p.c.Timeout)
	defer cancel()
	stop := context.AfterFunc(within, c.kill)
	defer stop()
	defer p.untilClosed(c.kill)()
	t, read, err := c.exchange(q, r)
	var bad *Undecodable
	switch {
	case err == nil || errors.As(err, &bad):
		return t, err
	case read != nil: // the photo could not be read: nobody's fault here
		return nil, fmt.Errorf("photo: read it for its thumbnail: %w", read)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case closed(p.done):
		return nil, ErrClosed
	}
	c.broken = true
	c.end()
	if within.Err() != nil {
		return nil, p.late(c.cmd)
	}
	return nil, undecodable("the decoder ended: %s", c.lastWords(err))
}

// untilClosed calls f if the pool is closed before the function that it returns is called.
func (p *Pool) untilClosed(f func()) (over func()) {
	stop := context.AfterFunc(p.life, f)
	return func() { stop() }
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// child is a process of the pool.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	words  *firstWords
	served int
	broken bool // it ended, or had to be ended, because of the photo
	ended  sync.Once
}

// begin starts a child. That it cannot be started is no photo's fault.
func (p *Pool) begin() (*child, error) {
	cmd := p.c.Command()
	c := &child{cmd: cmd, words: &firstWords{}}
	cmd.Stderr = c.words
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("photo: begin a decoder: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("photo: begin a decoder: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("photo: begin a decoder: %w", err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	return c, nil
}

// exchange sends a photo and reads the answer. read is the error of reading the photo.
func (c *child) exchange(q request, r io.Reader) (t *Thumbs, read, err error) {
	c.served++
	if err := writeHeader(c.in, q); err != nil {
		return nil, nil, err
	}
	source := &noting{r: r}
	if _, err := io.CopyN(c.in, source, q.Octets); err != nil {
		return nil, source.err, err
	}
	t, err = readThumbs(c.out)
	return t, nil, err
}

// noting remembers that reading failed, as distinct from writing.
type noting struct {
	r   io.Reader
	err error
}

func (n *noting) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && n.err == nil {
		n.err = err
	}
	return k, err
}

// aged ends a child that has served its time: what a decoder leaked goes with it.
func (c *child) aged() *child {
	const most = 200
	if c.served < most {
		return c
	}
	c.end()
	return nil
}

func (c *child) kill() { _ = c.cmd.Process.Kill() } // that it has ended is as good

// end kills and buries it.
func (c *child) end() {
	c.ended.Do(func() {
		c.kill()
		_ = c.in.Close()
		_ = c.cmd.Wait() // how it ended is told by lastWords
	})
}

// lastWords says how it ended: what it wrote first of its end, or its signal.
func (c *child) lastWords(err error) string {
	if line, _, _ := bytes.Cut(c.words.bytes(), []byte("\n")); len(line) > 0 {
		return string(line[:min(len(line), 200)])
	}
	if s := c.cmd.ProcessState; s != nil {
		return s.String()
	}
	return err.Error()
}

// firstWords keeps the first of what a child writes to its standard error, and lets the rest go.
type firstWords struct {
	mu sync.Mutex
	b  []byte
}

func (t *firstWords) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 4 << 10
	t.b = append(t.b, p[:min(len(p), most-len(t.b))]...)
	return len(p), nil
}

func (t *firstWords) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.TrimSpace(t.b)
}
