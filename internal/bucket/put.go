package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"holdfast"
)

// Put says how an object is put. Zero values mean the defaults.
type Put struct {
	New  bool          // never over another one
	Tag  string        // tells whose it is: one that is there already counts as put only if it has the same; default: only if it has the same octets
	Lock time.Duration // nobody may remove it before so long has passed; the bucket must have been made for that
}

// tagName is where the tag stands among what a store keeps of an object.
const tagName = "Holdfast-Tag"

// Part is what goes in one request; larger objects go in parts of this size, or of a ten-thousandth of their own. So many octets of an object are in memory while it is put.
const Part = 16 << 20

// castagnoli is the polynomial of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Put makes an object of what r has, whole or not at all. size is how many octets that is, or negative where it is not known; then it has at most ten thousand parts. Where the name is taken and o says New, the kind is Exists. An error of r's is returned as it is.
func (b *Bucket) Put(ctx context.Context, name string, r io.Reader, size int64, o Put) error {
	if o.Lock > 0 {
		if err := b.clocked(ctx); err != nil {
			return err
		}
	}
	src := &source{r: r}
	room := int64(Part)
	if size >= 0 {
		room = min(max(room, size/9000), max(size, 1))
	}
	first, err := fill(src, make([]byte, 0, min(room, 64<<10)), room)
	if src.err != nil {
		return src.err
	}
	if err == io.EOF {
		return b.putWhole(ctx, name, first, o)
	}
	next := make([]byte, 0, 1) // is there more?
	if next, err = fill(src, next, 1); len(next) == 0 {
		if src.err != nil {
			return src.err
		}
		return b.putWhole(ctx, name, first, o)
	}
	return b.putParts(ctx, name, first, io.MultiReader(bytes.NewReader(next), src), src, room, o)
}

// source remembers an error of what is read.
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

// fill reads until a buffer has as many octets as given; io.EOF: the source ended before.
func fill(r io.Reader, buf []byte, room int64) ([]byte, error) {
	for int64(len(buf)) < room {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(room, int64(max(2*cap(buf), 512))))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):min(int64(cap(buf)), room)])
		buf = buf[:len(buf)+n]
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// crc writes octets' CRC-32C as the protocol does.
func crc(p []byte) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(p, castagnoli))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func sha(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

const crcHeader = "x-amz-checksum-crc32c"

// options are those of the request that makes an object.
func (b *Bucket) options(o Put) minio.PutObjectOptions {
	p := minio.PutObjectOptions{ContentType: "application/octet-stream", DisableContentSha256: true, UserMetadata: map[string]string{}}
	if o.Tag != "" {
		p.UserMetadata[tagName] = o.Tag
	}
	if o.New {
		p.SetMatchETagExcept("*")
	}
	if o.Lock > 0 {
		p.Mode, p.RetainUntilDate = minio.Compliance, b.until(o.Lock)
	}
	return p
}

// until is when a lock ends that begins now, by the store's clock.
func (b *Bucket) until(lock time.Duration) time.Time { return b.now().Add(lock).Truncate(time.Second) }

// putWhole puts an object in one request.
func (b *Bucket) putWhole(ctx context.Context, name string, octets []byte, o Put) error {
	sum := sha(octets)
	p := b.options(o)
	p.UserMetadata[crcHeader] = crc(octets)
	return b.make(ctx, name, o, func() (int64, string) { return int64(len(octets)), sum }, func() error {
		_, err := b.api.PutObject(ctx, b.name, b.key(name), bytes.NewReader(octets), int64(len(octets)), "", sum, p)
		return err
	})
}

// make sends what makes an object, as often as is of use. Where the name is taken, or it is not known whether the request had its effect, it is looked whether what lies there is what was sent: sum says its length and SHA-256.
func (b *Bucket) make(ctx context.Context, name string, o Put, sum func() (int64, string), send func() error) error {
	for n := 0; ; n++ {
		err := send()
		last := n+1 == tries || ctx.Err() != nil
		switch {
		case err == nil:
			return nil
		case ctx.Err() == nil && (taken(err) || ended(err) || last && unheard(err)):
			found, e := b.look(ctx, name, o, sum)
			switch {
			case found == same:
				return nil
			case found == other && o.New:
				return fail("Put", holdfast.Exists, name, "there is another object of this name; nothing is overwritten", nil)
			case taken(err) && e != nil:
				return e
			case last || !taken(err):
				return fail("Put", holdfast.Unavailable, name, "the object store does not say that it made the object", cause(err))
			}
		case last || !passing(err):
			return b.fail(ctx, "Put", name, err)
		}
		b.o.Log.Debug("an object is put again", "bucket", b.name, "object", name, "try", n+1, "err", cause(err))
		if err := b.pause(ctx, n); err != nil {
			return err
		}
	}
}

// ended tells whether parts are no upload any more: they were made the object, and the answer got lost, or nobody knows.
func ended(err error) bool {
	a, ok := answerOf(err)
	return ok && a.Code == "NoSuchUpload"
}

// What lies under a name.
type found int

const (
	none found = iota
	same
	other
)

// look tells whether the object of a name is what was sent.
func (b *Bucket) look(ctx context.Context, name string, o Put, sum func() (int64, string)) (found, error) {
	i, err := b.Stat(ctx, name)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	size, hash := sum()
	switch {
	case i.Size != size || o.Tag != "" && o.Tag != i.Tag:
		return other, nil
	case o.Tag != "":
		return same, nil
	}
	r, err := b.Get(ctx, name, 0, -1)
	if err != nil {
		return none, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return none, err
	}
	if hex.EncodeToString(h.Sum(nil)) != hash {
		return other, nil
	}
	return same, nil
}

// putParts puts an object in parts that appear at once.
func (b *Bucket) putParts(ctx context.Context, name string, buf []byte, r io.Reader, src *source, room int64, o Put) (err error) {
	start := b.options(Put{Tag: o.Tag, Lock: o.Lock})
	start.UserMetadata["x-amz-checksum-algorithm"] = "CRC32C"
	var id string
	if err := b.again(ctx, "Put", name, func() (err error) { id, err = b.api.NewMultipartUpload(ctx, b.name, b.key(name), start); return err }); err != nil {
		return err
	}
	made := false // of these parts
	defer func() {
		if !made {
			b.abort(ctx, name, id)
		}
	}()
	whole := sha256.New()
	var parts []minio.CompletePart
	size := int64(0)
	for more := true; more; {
		done, err := b.putPart(ctx, name, id, len(parts)+1, buf)
		if err != nil {
			return err
		}
		parts = append(parts, done)
		whole.Write(buf)
		size += int64(len(buf))
		buf, err = fill(r, buf[:0], room)
		if src.err != nil {
			return src.err
		}
		if err != nil && err != io.EOF {
			return err
		}
		if more = len(buf) > 0; more && len(parts) == 10_000 {
			return fail("Put", holdfast.TooLarge, name, "an object has at most ten thousand parts, and nobody said how large it would be", nil)
		}
	}
	made, err = b.complete(ctx, name, id, parts, size, whole, o)
	return err
}

func (b *Bucket) putPart(ctx context.Context, name, id string, n int, octets []byte) (minio.CompletePart, error) {
	sum, check := sha(octets), crc(octets)
	done := minio.CompletePart{PartNumber: n, ChecksumCRC32C: check}
	err := b.again(ctx, "Put", name, func() error {
		p, err := b.api.PutObjectPart(ctx, b.name, b.key(name), id, n, bytes.NewReader(octets), int64(len(octets)),
			minio.PutObjectPartOptions{Sha256Hex: sum, DisableContentSha256: true, CustomHeader: http.Header{crcHeader: {check}}})
		done.ETag = p.ETag
		return err
	})
	return done, err
}

// complete makes the object of its parts. A store that cannot make that conditional is asked before whether there is one: then two at the same moment might both be told that they made it, and the later one is there.
func (b *Bucket) complete(ctx context.Context, name, id string, parts []minio.CompletePart, size int64, whole hash.Hash, o Put) (made bool, err error) {
	p := minio.PutObjectOptions{}
	if o.New {
		p.SetMatchETagExcept("*")
	}
	sum := hex.EncodeToString(whole.Sum(nil))
	err = b.make(ctx, name, o, func() (int64, string) { return size, sum }, func() (err error) {
		defer func() { made = err == nil }()
		_, err = b.api.CompleteMultipartUpload(ctx, b.name, b.key(name), id, parts, p)
		if a, ok := answerOf(err); !ok || a.StatusCode != http.StatusNotImplemented || !o.New {
			return err
		}
		if _, err := b.Stat(ctx, name); !holdfast.IsKind(err, holdfast.NotFound) {
			if err == nil {
				err = minio.ErrorResponse{StatusCode: http.StatusPreconditionFailed, Code: "PreconditionFailed"}
			}
			return err
		}
		_, err = b.api.CompleteMultipartUpload(ctx, b.name, b.key(name), id, parts, minio.PutObjectOptions{})
		return err
	})
	return made, err
}

// abort lets go of the parts of an object that is not made, as far as that can be done: the store's own rules let go of others.
func (b *Bucket) abort(ctx context.Context, name, id string) {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), b.o.Stall)
	defer end()
	if err := b.api.AbortMultipartUpload(ctx, b.name, b.key(name), id); err != nil {
		a, _ := answerOf(err)
		if a.Code != "NoSuchUpload" {
			b.o.Log.Warn("the parts of an object that was not made could not be removed", "bucket", b.name, "object", name, "err", cause(err))
		}
	}
}

// tagOf finds the tag among what a store keeps of an object.
func tagOf(i minio.ObjectInfo) string {
	for k, v := range i.UserMetadata {
		if strings.EqualFold(k, tagName) {
			return v
		}
	}
	return ""
}
