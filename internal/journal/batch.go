package journal

import (
	"bufio"
	"errors"
	"io"
	"time"

	"holdfast"
)

// BatchLine is what the line before a batch's changes says.
type BatchLine struct {
	holdfast.Position
	Prev    holdfast.Hash
	Stored  time.Time
	Changes uint64
	Ends    []End // of its groups, in order: what the batch's hash is made of
	// Redacted says that some of its groups were of an account that was erased: they are missing, and its hash cannot be computed.
	Redacted bool
}

// End says where a group left its account.
type End struct {
	Account    holdfast.ID
	Epoch, Seq uint64
	Chain      holdfast.Hash
	Before     holdfast.Hash // the chain before the group's first change
}

// Sum computes the position's hash after the batch; of a redacted one it is what the line says.
func (b *BatchLine) Sum() holdfast.Hash {
	if b.Redacted {
		return b.Hash
	}
	ends := make([]holdfast.GroupEnd, len(b.Ends))
	for i, e := range b.Ends {
		ends[i] = holdfast.GroupEnd{Account: e.Account, Chain: e.Chain}
	}
	return holdfast.BatchHash(b.Prev, ends)
}

// AppendBatch appends a batch: its own line, and the lines of its changes.
func AppendBatch(dst []byte, b *holdfast.Batch, stored time.Time) []byte {
	dst = appendUint(dst, `{"batch":`, b.Batch)
	dst = appendHash(append(dst, `,"hash":`...), b.Hash)
	dst = appendHash(append(dst, `,"prev":`...), b.Prev)
	dst = appendTime(dst, `,"stored":`, stored)
	dst = appendUint(dst, `,"changes":`, uint64(len(b.Changes)))
	dst = append(dst, `,"ends":[`...)
	first := 0
	for i := range b.Changes {
		if b.Changes[i].More == 0 {
			dst = append(appendEnd(dst, &b.Changes[i], b.Changes[first].Before), ',')
			first = i + 1
		}
	}
	if dst[len(dst)-1] == ',' {
		dst = dst[:len(dst)-1]
	}
	if dst = append(dst, ']'); b.Redacted {
		dst = append(dst, `,"redacted":true`...)
	}
	dst = append(dst, "}\n"...)
	for i := range b.Changes {
		dst = AppendLine(dst, &b.Changes[i], Stored{b.Batch, stored})
	}
	return dst
}

func appendEnd(b []byte, c *holdfast.Change, before holdfast.Hash) []byte {
	b = appendID(append(b, `{"account":`...), c.Account)
	b = appendUint(b, `,"epoch":`, c.Epoch)
	b = appendUint(b, `,"seq":`, c.Seq)
	b = appendHash(append(b, `,"chain":`...), c.Chain)
	return append(appendHash(append(b, `,"before":`...), before), '}')
}

func parseEnd(p *parser) (e End) {
	p.object(func(key []byte) {
		switch string(key) {
		case "account":
			e.Account = p.id()
		case "epoch":
			e.Epoch = p.uint()
		case "seq":
			e.Seq = p.uint()
		case "chain":
			e.Chain = p.hash()
		case "before":
			e.Before = p.hash()
		default:
			p.skip(0)
		}
	})
	return e
}

func parseBatchLine(line []byte) (out BatchLine, err error) {
	p := parser{b: line}
	p.object(func(key []byte) {
		switch string(key) {
		case "batch":
			out.Batch = p.uint()
		case "hash":
			out.Hash = p.hash()
		case "prev":
			out.Prev = p.hash()
		case "stored":
			out.Stored = p.time()
		case "changes":
			out.Changes = p.uint()
		case "redacted":
			p.literal("true")
			out.Redacted = true
		case "ends":
			p.array(func() {
				if len(out.Ends) >= maxChanges {
					p.fail("too many groups")
				}
				out.Ends = append(out.Ends, parseEnd(&p))
			})
		default:
			p.skip(0)
		}
	})
	if p.err == nil {
		p.end()
	}
	if p.err == nil && (out.Batch == 0 || out.Hash.IsZero() || out.Changes > maxChanges) {
		p.err = errors.New("a field is missing or out of range")
	}
	if p.err != nil {
		return out, corrupt("the line of a batch cannot be read: %v", p.err)
	}
	return out, nil
}

// Bounds of what is read: octets of a line, changes of a batch. An engine's batches stay far below.
const (
	MaxLine    = 128 << 20
	maxChanges = 1 << 20
)

// Reader reads batches.
type Reader struct{ lines *Lines }

// NewReader returns a reader of what AppendBatch wrote, one batch behind the other.
func NewReader(r io.Reader) *Reader { return &Reader{NewLines(r)} }

// Next returns the next batch; io.EOF behind the last. Chains are zero. Errors: Corrupt, and those of the underlying reader.
func (r *Reader) Next() (BatchLine, []holdfast.Change, error) {
	line, err := r.lines.Next()
	if err != nil {
		return BatchLine{}, nil, err
	}
	b, err := parseBatchLine(line)
	if err != nil {
		return b, nil, err
	}
	changes := make([]holdfast.Change, 0, min(b.Changes, 4096))
	for range b.Changes {
		line, err := r.lines.Next()
		if err == io.EOF {
			return b, nil, corrupt("a batch ends before its last change")
		}
		if err != nil {
			return b, nil, err
		}
		c, at, err := ParseLine(line)
		if err == nil && at.Batch != b.Batch {
			err = corrupt("a change stands in batch %d and says %d", b.Batch, at.Batch)
		}
		if err != nil {
			return b, nil, err
		}
		changes = append(changes, c)
	}
	return b, changes, nil
}

// Lines reads lines of bounded length.
type Lines struct {
	r   *bufio.Reader
	buf []byte
}

// NewLines returns a reader of lines.
func NewLines(r io.Reader) *Lines { return &Lines{r: bufio.NewReaderSize(r, 64<<10)} }

// Next returns the next line without its newline; it is good until the next call. io.EOF behind the last; a last line without its newline is Corrupt, one over MaxLine too.
func (l *Lines) Next() ([]byte, error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.buf) == 0 && err == nil {
			return part[:len(part)-1], nil
		}
		l.buf = append(l.buf, part...)
		switch {
		case err == nil:
			return l.buf[:len(l.buf)-1], nil
		case len(l.buf) > MaxLine:
			return nil, corrupt("a line is longer than %d octets", MaxLine)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(l.buf) > 0:
			return nil, corrupt("the last line is cut short")
		}
		return nil, err
	}
}
