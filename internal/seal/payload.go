package seal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"holdfast"
)

// Bounds of what zstd may ask for when it opens: octets of its window. What Pack and PackTight write stays below.
const maxWindow = 8 << 20

// packers hands out encoders: making one costs more than using it.
type packers struct{ pool sync.Pool }

func newPackers(level zstd.EncoderLevel, window int) *packers {
	return &packers{sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window), zstd.WithEncoderCRC(true))
		if err != nil {
			panic("seal: the encoder's options do not fit: " + err.Error()) // they are constants
		}
		return e
	}}}
}

// pack compresses, and adds what comes out to dst.
func (p *packers) pack(dst, plain []byte) []byte {
	e := p.pool.Get().(*zstd.Encoder)
	defer p.pool.Put(e)
	return e.EncodeAll(plain, slices.Grow(dst, 64+len(plain)/2))
}

// The two ways of packing: what is appended while somebody waits, and what is kept for years.
var (
	fast  = newPackers(zstd.SpeedFastest, 1<<20)
	tight = newPackers(zstd.SpeedBetterCompression, 4<<20)
)

// Pack compresses quickly.
func Pack(plain []byte) []byte { return fast.pack(nil, plain) }

// AppendPack is Pack that adds to dst what comes out.
func AppendPack(dst, plain []byte) []byte { return fast.pack(dst, plain) }

// PackTight compresses well: for what is kept.
func PackTight(plain []byte) []byte { return tight.pack(nil, plain) }

// Encrypt encrypts what was packed. All recipients are hybrid, or none is (age mixes them in no file).
func Encrypt(packed []byte, to ...*Recipient) ([]byte, error) {
	recipients := make([]age.Recipient, len(to))
	for i, r := range to {
		recipients[i] = r.age
	}
	out := bytes.NewBuffer(make([]byte, 0, len(packed)+len(packed)/4096*4+512*max(1, len(to))))
	w, err := age.Encrypt(out, recipients...)
	if err == nil {
		_, err = w.Write(packed)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fail("Encrypt", holdfast.Internal, "the octets could not be encrypted", err)
	}
	return out.Bytes(), nil
}

// Seal is Encrypt of Pack.
func Seal(plain []byte, to ...*Recipient) ([]byte, error) { return Encrypt(Pack(plain), to...) }

// Open reads what Seal made, as a stream in bounded memory. Every octet that it yields was authenticated. It yields at most limit octets.
//
// Errors, of Open or of Read: Unauthorized (none of the identities opens it), Corrupt (damaged, cut short, or not sealed at all), TooLarge (more than limit). What sealed itself
// returns as an error is passed on.
func Open(sealed io.Reader, limit int64, with ...*Identity) (io.ReadCloser, error) {
	src := &source{r: sealed}
	plain, err := decrypt("Open", src, with)
	if err != nil {
		return nil, err
	}
	first := bufio.NewReaderSize(plain, 4096)
	if _, err := first.Peek(1); err != nil { // zstd takes nothing at all for a stream that is empty; Pack always writes something
		return nil, src.explain("Open", err)
	}
	d := unpackers.Get().(*zstd.Decoder)
	if err := d.Reset(first); err != nil {
		unpackers.Put(d)
		return nil, src.explain("Open", err)
	}
	return &opened{d: d, src: src, left: limit}, nil
}

// unpackers hands out decoders: each has a window of some MiB, which would be garbage after every object.
var unpackers = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic("seal: the decoder's options do not fit: " + err.Error()) // they are constants
	}
	return d
}}

// decrypt begins to read an age file.
func decrypt(op string, src *source, with []*Identity) (io.Reader, error) {
	if len(with) == 0 {
		return nil, fail(op, holdfast.Unauthorized, "no key was given to open it with", nil)
	}
	var r io.Reader
	var err error
	if len(with) == 1 {
		r, err = with[0].open(src)
	} else {
		ids := make([]age.Identity, len(with))
		for i, id := range with {
			ids[i] = id.age
		}
		r, err = age.Decrypt(src, ids...)
	}
	var none *age.NoIdentityMatchError
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &none):
		return nil, fail(op, holdfast.Unauthorized, "none of the keys given opens it", nil)
	}
	return nil, src.explain(op, err)
}

// source remembers an error of what is read, to tell it from damage.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) explain(op string, err error) error {
	if s.err != nil {
		return s.err
	}
	return fail(op, holdfast.Corrupt, "the sealed octets are damaged or cut short", err)
}

// opened is a sealed object that is being read.
type opened struct {
	d    *zstd.Decoder // nil once it is closed
	src  *source
	left int64
}

func (o *opened) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if o.d == nil {
		return 0, fs.ErrClosed
	}
	if o.left <= 0 {
		var one [1]byte
		if n, err := io.ReadFull(o.d, one[:]); n == 0 {
			return 0, o.ended(err)
		}
		return 0, fail("Open", holdfast.TooLarge, "it holds more than it may", nil)
	}
	n, err := o.d.Read(p[:min(int64(len(p)), o.left)])
	o.left -= int64(n)
	return n, o.ended(err)
}

func (o *opened) ended(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return o.src.explain("Open", err)
}

func (o *opened) Close() error {
	if o.d == nil {
		return nil
	}
	err := o.d.Reset(nil) // it lets go of what it read
	unpackers.Put(o.d)
	o.d = nil
	return err
}

// OpenAll is Open of octets in memory.
func OpenAll(sealed []byte, limit int64, with ...*Identity) ([]byte, error) {
	r, err := Open(bytes.NewReader(sealed), limit, with...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Wrap encrypts a key to others' keys: age of a comment that says of what it is the key, and of the line that ParseIdentity reads, uncompressed, so that `age -d` yields a key file. Nobody who lacks the others' keys can have it say something else.
func Wrap(id *Identity, of string, to ...*Recipient) ([]byte, error) {
	text := id.Secret() + "\n"
	if of != "" {
		text = "# " + of + "\n" + text
	}
	return Encrypt([]byte(text), to...)
}

// Unwrap opens what Wrap made, and returns of what it is the key; empty where that was not said. Errors: Unauthorized (none of the identities opens it), Corrupt.
func Unwrap(wrapped []byte, with ...*Identity) (id *Identity, of string, err error) {
	src := &source{r: bytes.NewReader(wrapped)}
	r, err := decrypt("Unwrap", src, with)
	if err != nil {
		return nil, "", err
	}
	text, err := io.ReadAll(io.LimitReader(r, 4096))
	if err != nil {
		return nil, "", src.explain("Unwrap", err)
	}
	line := string(text)
	if rest, ok := strings.CutPrefix(line, "# "); ok {
		of, line, _ = strings.Cut(rest, "\n")
	}
	if id, err = ParseIdentity(line); err != nil {
		return nil, "", fail("Unwrap", holdfast.Corrupt, "what was wrapped is no key", fmt.Errorf("%d octets", len(text)))
	}
	return id, of, nil
}
