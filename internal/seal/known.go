package seal

import (
	"bufio"
	"bytes"
	"io"

	"filippo.io/age"
)

// maxKnown bounds the header that an identity remembers; that of a hybrid recipient has some 1,700 octets.
const maxKnown = 4096

// known is a header that an identity opened: who reads the pieces of a [Sealer], or one piece again, unwraps their file key once.
type known struct{ header, key []byte }

// opening is an identity that notes the file key that it unwraps.
type opening struct {
	age.Identity
	key []byte
}

func (o *opening) Unwrap(stanzas []*age.Stanza) (key []byte, err error) {
	o.key, err = o.Identity.Unwrap(stanzas)
	return o.key, err
}

// open begins to read an age file with one identity.
func (i *Identity) open(src io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(src, maxKnown)
	begins, _ := b.Peek(maxKnown) // an error comes up again
	if k := i.known.Load(); k != nil && bytes.HasPrefix(begins, k.header) {
		return age.Decrypt(b, age.NewInjectedFileKeyIdentity(bytes.Clone(k.key)))
	}
	header := headerOf(begins)
	o := &opening{Identity: i.age}
	r, err := age.Decrypt(b, o)
	if err == nil && header != nil {
		i.known.Store(&known{header, o.key})
	}
	return r, err
}

// headerOf returns a copy of the header that stands at the beginning: up to the line that begins with "---"; nil where there is none.
func headerOf(b []byte) []byte {
	at := bytes.Index(b, []byte("\n--- "))
	if at < 0 {
		return nil
	}
	end := bytes.IndexByte(b[at+1:], '\n')
	if end < 0 {
		return nil
	}
	return bytes.Clone(b[:at+1+end+1])
}
