package journal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"holdfast"
)

// ParseLine reads what AppendLine wrote, with or without its newline. The change is sealed: its hashes are those of its octets, which were compared with what the line says. Chain is
// zero. The change does not share memory with the line. Errors: Corrupt.
func ParseLine(line []byte) (holdfast.Change, Stored, error) {
	p := parser{b: line}
	f := fields{}
	f.read(&p)
	if p.err == nil {
		p.end()
	}
	if p.err != nil {
		return holdfast.Change{}, Stored{}, corrupt("the line of a change cannot be read: %v", p.err)
	}
	if err := f.finish(); err != nil {
		return holdfast.Change{}, Stored{}, err
	}
	return f.c, f.at, nil
}

func corrupt(format string, args ...any) error {
	return &holdfast.Error{Op: "journal.ParseLine", Kind: holdfast.Corrupt, Text: fmt.Sprintf(format, args...)}
}

// fields is a line that is being read.
type fields struct {
	c        holdfast.Change
	at       Stored
	groupEnd uint64
	size     uint64
	sum      holdfast.Hash
	body     []byte
	has      bool // a body stands there
	actor    bool
	hasSum   bool
}

func (f *fields) read(p *parser) {
	p.object(func(key []byte) {
		switch string(key) {
		case "account":
			f.c.Account = p.id()
		case "epoch":
			f.c.Epoch = p.uint()
		case "seq":
			f.c.Seq = p.uint()
		case "group_end":
			f.groupEnd = p.uint()
		case "batch":
			f.at.Batch = p.uint()
		case "stored":
			f.at.At = p.time()
		case "id":
			f.c.ID = p.id()
		case "op":
			f.op(p)
		case "kind":
			f.kind(p)
		case "collection":
			f.c.Collection = p.id()
		case "name":
			f.c.Name = string(p.text())
		case "prev":
			f.c.Prev = p.uint()
		case "at":
			f.c.At = p.time()
		case "actor":
			f.c.Actor.Account, f.actor = p.id(), true
		case "device":
			f.c.Actor.Device = p.id()
		default:
			f.octets(p, string(key))
		}
	})
}

// octets reads the fields that say what was stored.
func (f *fields) octets(p *parser, key string) {
	switch key {
	case "type":
		f.c.ContentType = string(p.text())
	case "type_base64":
		f.c.ContentType = string(p.base64())
	case "text":
		f.body, f.has = p.text(), true
	case "base64":
		f.body, f.has = p.base64(), true
	case "blob":
		p.literal("true")
		f.c.Blob = &holdfast.Blob{}
	case "pruned":
		p.literal("true")
		f.c.Pruned = true
	case "size":
		f.size = p.uint()
	case "sha256":
		f.sum, f.hasSum = p.hash(), true
	case "properties":
		p.array(func() {
			if len(f.c.Properties) >= 1<<16 {
				p.fail("too many properties")
				return
			}
			f.c.Properties = append(f.c.Properties, property(p))
		})
	default:
		p.skip(0)
	}
}

func property(p *parser) (out holdfast.Property) {
	p.object(func(key []byte) {
		switch string(key) {
		case "space":
			out.Space = string(p.text())
		case "name":
			out.Local = string(p.text())
		case "xml":
			out.XML = p.text()
		case "base64":
			out.XML = p.base64()
		default:
			p.skip(0)
		}
	})
	return out
}

func (f *fields) op(p *parser) {
	switch string(p.text()) {
	case "put":
		f.c.Op = holdfast.OpPut
	case "delete":
		f.c.Op = holdfast.OpDelete
	default:
		p.fail("an unknown operation")
	}
}

func (f *fields) kind(p *parser) {
	if p.peek() != '"' {
		v := p.uint()
		if v == 0 || v > 255 {
			p.fail("a kind out of range")
		}
		f.c.Kind = holdfast.Kind(v)
		return
	}
	k, ok := kindsByName[string(p.raw())]
	if !ok {
		p.fail("an unknown kind")
	}
	f.c.Kind = k
}

// finish seals the change and compares it with what its line says.
func (f *fields) finish() error {
	c := &f.c
	switch {
	case c.Account.IsZero() || c.ID.IsZero() || c.Op == 0 || c.Kind == 0 || c.Epoch == 0 || c.Seq == 0 || c.At.IsZero():
		return corrupt("the line of a change lacks a field")
	case f.groupEnd < c.Seq || f.groupEnd-c.Seq >= 1<<31:
		return corrupt("a group ends before its change")
	case c.Op == holdfast.OpPut && (count(f.has, c.Blob != nil, c.Pruned) != 1 || !f.hasSum):
		return corrupt("the octets of a change are missing, or stand there twice")
	case c.Op == holdfast.OpDelete && (f.has || c.Blob != nil || c.Pruned || f.hasSum || f.size != 0):
		return corrupt("a deletion has octets")
	}
	if !f.actor {
		c.Actor.Account = c.Account
	}
	c.More = uint32(f.groupEnd - c.Seq)
	if c.Op == holdfast.OpPut {
		c.ETag, c.Size = f.sum, int64(f.size)
		switch {
		case c.Blob != nil:
			c.Blob.Hash, c.Blob.Size = c.ETag, c.Size
		case c.Pruned: // their hash says what they were; there is nothing to compare it with
			if !c.Prunable() {
				return corrupt("seq %d says that its octets were let go of, and cannot: it is a record, or had none", c.Seq)
			}
		default:
			c.Body = f.body
			if got := holdfast.HashOf(c.Body); got != c.ETag || int64(len(c.Body)) != c.Size {
				return corrupt("the octets of seq %d do not have the SHA-256 that their line says", c.Seq)
			}
		}
	}
	if c.PropsRaw = c.Properties.Encode(); c.PropsRaw != nil {
		c.PropsHash = holdfast.HashOf(c.PropsRaw)
	}
	c.Hash = c.Entry.CanonicalHash(c.Collection)
	return nil
}

// count tells how many of them are true.
func count(list ...bool) (n int) {
	for _, v := range list {
		if v {
			n++
		}
	}
	return n
}

// parser reads JSON of the flat kind that lines are. After the first error it reads nothing more.
type parser struct {
	b   []byte
	i   int
	err error
}

func (p *parser) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s at octet %d", what, p.i)
	}
	p.i = len(p.b)
}

// peek returns the next octet that is no space; 0 at the end.
func (p *parser) peek() byte {
	for p.i < len(p.b) {
		switch c := p.b[p.i]; c {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return c
		}
	}
	return 0
}

func (p *parser) take(c byte) bool {
	if p.err != nil || p.peek() != c {
		return false
	}
	p.i++
	return true
}

func (p *parser) need(c byte) {
	if !p.take(c) {
		p.fail(fmt.Sprintf("%q is expected", c))
	}
}

func (p *parser) end() {
	if p.peek() != 0 || p.i < len(p.b) {
		p.fail("something stands behind the line")
	}
}

// object calls fn with each key; fn reads the value.
func (p *parser) object(fn func(key []byte)) {
	p.need('{')
	if p.take('}') {
		return
	}
	for p.err == nil {
		key := p.key()
		p.need(':')
		fn(key)
		if p.take('}') {
			return
		}
		p.need(',')
	}
}

func (p *parser) array(fn func()) {
	p.need('[')
	if p.take(']') {
		return
	}
	for p.err == nil {
		fn()
		if p.take(']') {
			return
		}
		p.need(',')
	}
}

func (p *parser) literal(word string) {
	if p.peek() == 0 || len(p.b)-p.i < len(word) || string(p.b[p.i:p.i+len(word)]) != word {
		p.fail(word + " is expected")
		return
	}
	p.i += len(word)
}

func (p *parser) uint() (v uint64) {
	p.peek()
	from := p.i
	for p.i < len(p.b) && p.b[p.i] >= '0' && p.b[p.i] <= '9' {
		if v = v*10 + uint64(p.b[p.i]-'0'); v >= 1<<53 {
			p.fail("a number is too large")
			return 0
		}
		p.i++
	}
	if p.i == from {
		p.fail("a number is expected")
	}
	return v
}

// key returns the name of a field, good until the line changes.
func (p *parser) key() []byte {
	p.need('"')
	end := p.closing()
	if end < 0 || bytes.IndexByte(p.b[p.i:end], '\\') >= 0 {
		p.i--
		return p.text()
	}
	key := p.b[p.i:end]
	p.i = end + 1
	return key
}

// closing returns where the string ends that p stands in; -1: nowhere.
func (p *parser) closing() int {
	for from := p.i; ; {
		n := bytes.IndexByte(p.b[from:], '"')
		if n < 0 {
			return -1
		}
		end, before := from+n, from+n
		for before > p.i && p.b[before-1] == '\\' {
			before--
		}
		if (end-before)%2 == 0 {
			return end
		}
		from = end + 1
	}
}

// raw returns the octets between the quotes of a string without escapes.
func (p *parser) raw() []byte {
	p.need('"')
	from := p.i
	for p.i < len(p.b) && p.b[p.i] != '"' && p.b[p.i] != '\\' {
		p.i++
	}
	if p.err != nil || p.i >= len(p.b) || p.b[p.i] != '"' {
		p.fail("a plain string is expected")
		return nil
	}
	p.i++
	return p.b[from : p.i-1]
}

func (p *parser) id() holdfast.ID {
	var id holdfast.ID
	if id.UnmarshalText(p.raw()) != nil {
		p.fail("an id is expected")
	}
	return id
}

func (p *parser) hash() (h holdfast.Hash) {
	if n, err := hex.Decode(h[:], atMost(p.raw(), 64)); err != nil || n != len(h) {
		p.fail("a SHA-256 is expected")
	}
	return h
}

// atMost returns b, or nothing where it is longer than n: what is decoded into an array must fit.
func atMost(b []byte, n int) []byte {
	if len(b) > n {
		return nil
	}
	return b
}

func (p *parser) time() time.Time {
	var t time.Time
	if t.UnmarshalText(p.raw()) != nil {
		p.fail("a time is expected")
	}
	return t.UTC()
}

func (p *parser) base64() []byte {
	b, err := base64.StdEncoding.Strict().DecodeString(string(p.raw()))
	if err != nil {
		p.fail("base64 is expected")
	}
	return b
}

// text returns a string's octets, which are the caller's.
func (p *parser) text() []byte {
	p.need('"')
	end := p.closing()
	if p.err != nil || end < 0 {
		p.fail("a string does not end")
		return nil
	}
	out := make([]byte, 0, end-p.i)
	for p.err == nil {
		n := bytes.IndexByte(p.b[p.i:end], '\\')
		if n < 0 {
			out = append(out, p.b[p.i:end]...)
			p.i = end + 1
			break
		}
		out = append(out, p.b[p.i:p.i+n]...)
		p.i += n + 1
		out = p.escape(out)
	}
	return out
}

// escape reads what follows a backslash. Surrogates do not occur: nothing above U+001F is written so.
func (p *parser) escape(out []byte) []byte {
	c := p.b[p.i] // closing saw that the string goes on
	p.i++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'u':
		if p.i+4 <= len(p.b) {
			if v, err := strconv.ParseUint(string(p.b[p.i:p.i+4]), 16, 16); err == nil && (v < 0xd800 || v > 0xdfff) {
				p.i += 4
				return append(out, string(rune(v))...)
			}
		}
	}
	p.fail("an unknown escape")
	return out
}

// maxDepth bounds how deep unknown fields may nest.
const maxDepth = 16

// skip reads a value of an unknown field.
func (p *parser) skip(depth int) {
	if depth > maxDepth {
		p.fail("it nests too deep")
		return
	}
	switch c := p.peek(); c {
	case '{':
		p.object(func([]byte) { p.skip(depth + 1) })
	case '[':
		p.array(func() { p.skip(depth + 1) })
	case '"':
		p.text()
	case 't':
		p.literal("true")
	case 'f':
		p.literal("false")
	case 'n':
		p.literal("null")
	default:
		from := p.i
		for p.i < len(p.b) && (p.b[p.i] >= '0' && p.b[p.i] <= '9' || p.b[p.i] == '-' || p.b[p.i] == '+' || p.b[p.i] == '.' || p.b[p.i] == 'e' || p.b[p.i] == 'E') {
			p.i++
		}
		if p.i == from {
			p.fail("a value is expected")
		}
	}
}
