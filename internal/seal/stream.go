package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"sync"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"holdfast"
)

// Stream is an age file of octets that lie elsewhere, made as it is read: of a film of any size no more than a window is in memory. Read again, from the beginning or from anywhere, it is the same octets: whoever sends it can say
// its size and its hash before, and send it once more. So what it is made of must not change, as a nonce would stand for two different texts then; a blob never does.
type Stream struct {
	src   io.ReaderAt
	plain int64
	head  []byte // the header and the payload's nonce
	aead  cipher.AEAD

	mu     sync.Mutex // who sent it may still be reading when it is read again
	at     int64
	have   int64  // the number of the chunk that is at hand, plus 1; 0: none
	sealed []byte // that one
	window []byte // octets of src
	from   int64  // where they begin
}

// windowSize is how many octets are read of src at once, from a multiple of it on: a store of blobs verifies them by the MiB.
const windowSize = 16 * chunkSize

// NewStream makes the sealed form of size octets. All recipients are hybrid, or none is.
func NewStream(src io.ReaderAt, size int64, to ...*Recipient) (*Stream, error) {
	by, err := NewSealer(to...)
	if err != nil {
		return nil, err
	}
	var nonce [payloadNonce]byte
	_, _ = rand.Read(nonce[:]) // never fails
	aead, err := by.payload(nonce[:])
	if err != nil {
		return nil, err
	}
	return &Stream{src: src, plain: size, head: append(by.header, nonce[:]...), aead: aead}, nil
}

// chunks is how many chunks so many octets have: nothing at all has one that is empty.
func chunks(plain int64) int64 { return max(1, (plain+chunkSize-1)/chunkSize) }

// Size returns how many octets it has, sealed.
func (s *Stream) Size() int64 {
	return int64(len(s.head)) + sealedChunks(s.plain)
}

func sealedChunks(plain int64) int64 { return plain + chunks(plain)*chacha20poly1305.Overhead }

// wholeChunk is a sealed chunk that is not the last.
const wholeChunk = chunkSize + chacha20poly1305.Overhead

// Read implements [io.Reader]. An error of what it is made of is returned as it is. Chunks that have room in p are sealed there, out of the window, so that nothing is copied.
func (s *Stream) Read(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at >= s.Size() {
		return 0, io.EOF
	}
	if s.at < int64(len(s.head)) {
		n = copy(p, s.head[s.at:])
		s.at += int64(n)
	}
	for n < len(p) && s.at < s.Size() {
		k, err := s.some(p[n:], s.at-int64(len(s.head)))
		if n, s.at = n+k, s.at+int64(k); err != nil {
			return n, err
		}
	}
	return n, nil
}

// some reads out of one chunk, from an offset behind the head.
func (s *Stream) some(p []byte, in int64) (int, error) {
	i := in / wholeChunk
	if in%wholeChunk == 0 && len(p) >= wholeChunk {
		sealed, err := s.seal(p[:0], i)
		return len(sealed), err
	}
	if s.have != i+1 {
		if s.sealed == nil {
			s.sealed = make([]byte, 0, wholeChunk)
		}
		s.have = 0
		sealed, err := s.seal(s.sealed, i)
		if err != nil {
			return 0, err
		}
		s.sealed, s.have = sealed, i+1
	}
	return copy(p, s.sealed[in%wholeChunk:]), nil
}

// seal returns a chunk, sealed in dst.
func (s *Stream) seal(dst []byte, i int64) ([]byte, error) {
	open, err := s.look(i*chunkSize, min(chunkSize, s.plain-i*chunkSize))
	if err != nil {
		return nil, err
	}
	at := chunkNonce(uint64(i), i == chunks(s.plain)-1)
	return s.aead.Seal(dst[:0], at[:], open, nil), nil
}

// look returns n octets of src, which lie in one window.
func (s *Stream) look(at, n int64) ([]byte, error) {
	from := at / windowSize * windowSize
	if len(s.window) == 0 || s.from != from {
		if s.window == nil {
			s.window = make([]byte, min(windowSize, s.plain))
		}
		s.window, s.from = s.window[:0], from
		w := s.window[:min(windowSize, s.plain-from)]
		if k, err := s.src.ReadAt(w, from); k < len(w) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		s.window = w
	}
	return s.window[at-from:][:n], nil
}

// Seek implements [io.Seeker].
func (s *Stream) Seek(offset int64, whence int) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.Size()
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	s.at = offset
	return offset, nil
}

// SealedSize is how many octets an age file has of so many, for one recipient of this kind.
func SealedSize(plain int64, to *Recipient) (int64, error) {
	head := to.header.Load()
	if head == 0 { // the same for each file
		by, err := NewSealer(to)
		if err != nil {
			return 0, err
		}
		head = int64(len(by.header))
		to.header.Store(head)
	}
	return head + payloadNonce + sealedChunks(plain), nil
}

// Decrypt reads an age file as it is, in bounded memory: what [Encrypt] or a [Stream] made. Every octet that it yields was authenticated. Errors, also of its reads: those of [Open].
func Decrypt(sealed io.Reader, with ...*Identity) (io.Reader, error) {
	src := &source{r: sealed}
	plain, err := decrypt("Decrypt", src, with)
	if err != nil {
		return nil, err
	}
	return &decrypting{plain, src}, nil
}

type decrypting struct {
	plain io.Reader
	src   *source
}

func (d *decrypting) Read(p []byte) (int, error) {
	n, err := d.plain.Read(p)
	if err != nil && err != io.EOF {
		err = d.src.explain("Decrypt", err)
	}
	return n, err
}

// DecryptAt reads any part of an age file, and returns how many octets it holds, which its last chunk proves. Every octet that it yields was authenticated. Its reads may be called from many goroutines.
// Errors, also of its reads: those of [Open]. An error of src's is returned as it is where it is a *holdfast.Error.
func DecryptAt(sealed io.ReaderAt, size int64, with *Identity) (io.ReaderAt, int64, error) {
	r, n, err := age.DecryptReaderAt(sealed, size, with.age)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, 0, fail("Decrypt", holdfast.Unauthorized, "the key does not open it", nil)
	case err != nil:
		return nil, 0, explainAt(err)
	}
	return &decryptingAt{r}, n, nil
}

type decryptingAt struct{ r io.ReaderAt }

func (d *decryptingAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := d.r.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = explainAt(err)
	}
	return n, err
}

func explainAt(err error) error {
	var own *holdfast.Error
	if errors.As(err, &own) {
		return own
	}
	return fail("Decrypt", holdfast.Corrupt, "the sealed octets are damaged or cut short", err)
}

// MAC names octets by a key that is derived from this one: nobody who lacks the key can tell what a name stands for, nor whether two names of different keys stand for the same. info says what for: HMAC-SHA-256, whose key is HKDF-SHA-256 of the key's line.
func (i *Identity) MAC(info string, b []byte) (sum holdfast.Hash) {
	key, err := hkdf.Key(sha256.New, []byte(i.Secret()), nil, info, 32)
	if err != nil {
		panic("seal: 32 octets are always to be had: " + err.Error())
	}
	m := hmac.New(sha256.New, key)
	m.Write(b)
	m.Sum(sum[:0])
	return sum
}
