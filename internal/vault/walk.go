package vault

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"holdfast"
)

// foundFrame is a frame in a segment.
type foundFrame struct {
	FrameHeader
	begin  int64 // of its line
	at     int64 // of its sealed octets
	torn   bool  // they do not have their hash; looked at by walkWhole alone
	rotted bool  // the line cannot be read: the octets from at on are those of the line too, and nothing else of the header is known
	end    bool  // of a rotted one: nothing stands behind it
	broken bool  // of a rotted one at the end: it begins as a frame does, so that it may as well be what an interrupted append left
}

// errOctets is inside of the error about a frame whose octets do not have their hash: they rotted, or it is what a power cut left, and its batches stand again in the next segment.
var errOctets = errors.New("the hash differs")

// errLine is inside of the error about a frame whose line is not the one that its octets had, while its batches could be read, and were: they are sealed, and say themselves which they are.
var errLine = errors.New("the line differs")

// unread tells whether an error says that a frame's octets are not what they were, so that its batches have to be looked for elsewhere.
func unread(err error) bool { return errors.Is(err, errOctets) }

// walk calls fn with the frames of a segment, as their lines name them: it passes over the octets, in one reading. Where a line cannot be read it goes on with the next that can be; fn is handed what lies between as a rotted frame.
// It returns how many octets at the end belong to no frame: what a power cut or an error left, which was never acknowledged, or damage.
func (v *Vault) walk(ctx context.Context, segment string, fn func(foundFrame) error) (torn int64, err error) {
	return v.walkAs(ctx, segment, false, fn)
}

// walkWhole is walk that hashes the octets as well: a power cut may leave a frame's line and end, and between them nothing.
func (v *Vault) walkWhole(ctx context.Context, segment string, fn func(foundFrame) error) (torn int64, err error) {
	return v.walkAs(ctx, segment, true, fn)
}

func (v *Vault) walkAs(ctx context.Context, segment string, whole bool, fn func(foundFrame) error) (torn int64, err error) {
	i, err := v.p.Stat(ctx, segment)
	if err != nil {
		return 0, err
	}
	for begin := int64(0); begin < i.Size; {
		at, held, err := v.walkFrom(ctx, segment, begin, i.Size, whole, fn)
		if err != nil {
			return 0, err
		}
		if at == i.Size {
			return 0, fn(held)
		}
		if begin, torn, err = v.passRot(ctx, segment, held, at, i.Size, fn); err != nil {
			return 0, err
		}
	}
	return torn, nil
}

// walkFrom calls fn with frames as long as their lines can be read. It returns where that ended, and the last frame, which is not handed on: what follows it may show that its line has the wrong length.
func (v *Vault) walkFrom(ctx context.Context, segment string, begin, size int64, whole bool, fn func(foundFrame) error) (at int64, held foundFrame, err error) {
	r, err := v.p.Get(ctx, segment, begin, size-begin)
	if err != nil {
		return begin, held, err
	}
	defer r.Close()
	b := bufio.NewReaderSize(r, 64<<10)
	for at = begin; at < size; {
		line, err := b.Peek(maxFrameHeader)
		if err != nil && err != io.EOF {
			return at, held, err
		}
		h, n, ok := ParseFrameHeader(line)
		next := at + int64(n) + h.Octets + 1
		if !ok || next > size {
			return at, held, nil
		}
		if held.First > 0 {
			if err := fn(held); err != nil {
				return at, held, err
			}
		}
		held = foundFrame{FrameHeader: h, begin: at, at: at + int64(n)}
		if held.torn, err = passFrame(b, held, n, whole); err != nil {
			return at, held, err
		}
		at = next
	}
	return at, held, nil
}

// passRot looks for where frames go on behind octets that begin with no line, hands on what lies between, and returns where that is, and how many octets at the end are no frame. held is the frame before, if there is one: where its octets have their hash it
// is what it says; otherwise its line may have the wrong length, and what follows belongs to it.
func (v *Vault) passRot(ctx context.Context, segment string, held foundFrame, at, size int64, fn func(foundFrame) error) (next, torn int64, err error) {
	f := foundFrame{rotted: true, at: at}
	from := at
	if held.First > 0 {
		from = held.begin
	}
	if next, err = v.nextFrame(ctx, segment, from+1, size); err != nil {
		return next, 0, err
	}
	rest, err := v.read(ctx, segment, at, maxFrameHeader)
	if err != nil {
		return next, 0, err
	}
	if f.end = next == size; f.end {
		torn, f.broken = size-at, beginsFrame(rest)
	}
	if held.First > 0 {
		sound, err := v.sound(ctx, segment, held)
		if err != nil {
			return next, torn, err
		}
		if !sound && !f.broken {
			f.at = held.begin
		} else if err := fn(held); err != nil {
			return next, torn, err
		}
	}
	f.Octets = next - f.at
	if f.broken {
		// The mere beginning of a frame is what an append leaves that was interrupted. One that ends as a frame does may be whole, and its length wrong.
		if last, err := v.read(ctx, segment, size-1, 1); err != nil || string(last) != "\n" {
			return next, torn, err
		}
	}
	return next, torn, fn(f)
}

// sound tells whether a frame's octets have their hash.
func (v *Vault) sound(ctx context.Context, segment string, f foundFrame) (bool, error) {
	r, err := v.p.Get(ctx, segment, f.at, f.Octets)
	if err != nil {
		return false, err
	}
	defer r.Close()
	sum, err := hashAll(r)
	return sum == f.SHA256, err
}

// passFrame reads on behind a frame whose line has n octets, and judges the octets where whole says so.
func passFrame(b *bufio.Reader, f foundFrame, n int, whole bool) (torn bool, err error) {
	if !whole {
		_, err = b.Discard(n + int(f.Octets) + 1)
		return false, err
	}
	if _, err := b.Discard(n); err != nil {
		return false, err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, b, f.Octets); err != nil {
		return false, err
	}
	_, err = b.Discard(1)
	return holdfast.Hash(sum.Sum(nil)) != f.SHA256, err
}

// nextFrame looks for a line of a frame, and returns where it stands; size where none does. What is sealed does not look like one but by a chance that nobody meets.
func (v *Vault) nextFrame(ctx context.Context, segment string, from, size int64) (int64, error) {
	r, err := v.p.Get(ctx, segment, from, size-from)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		window, err := b.Peek(64 << 10)
		if err != nil && err != io.EOF {
			return 0, err
		}
		k := bytes.Index(window, []byte(frameMagic+" "))
		switch {
		case k < 0 && err == io.EOF:
			return size, nil
		case k < 0:
			k = len(window) - len(frameMagic)
		case err == io.EOF || k+maxFrameHeader <= len(window):
			if h, n, ok := ParseFrameHeader(window[k:]); ok && from+int64(k+n)+h.Octets < size {
				return from + int64(k), nil
			}
			k++
		}
		if _, err := b.Discard(k); err != nil {
			return 0, err
		}
		from += int64(k)
	}
}

// afterLine returns what stands behind a line that cannot be read, without the zeros that a place extended ahead and the newline of a frame's end.
func afterLine(b []byte) []byte {
	i := bytes.IndexByte(b[:min(len(b), maxFrameHeader)], '\n')
	b = bytes.TrimRight(b[i+1:], "\x00")
	return bytes.TrimSuffix(b, []byte("\n"))
}
