package holdfast

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Kind is what a resource is.
type Kind uint8

// The kinds of resources. Numbers are journaled: they are never reused.
const (
	KindAccount    Kind = 1  // an account's own record
	KindDevice     Kind = 2  // a device
	KindTokenKey   Kind = 3  // the key of an account's sync tokens: 32 octets
	KindShare      Kind = 4  // a right that an owner gives to a guest
	KindBinding    Kind = 5  // another's collection in a guest's home
	KindEpoch      Kind = 6  // the beginning of an epoch
	KindCollection Kind = 8  // a collection's own entry
	KindReversal   Kind = 9  // an undo or a rewind
	KindBurst      Kind = 10 // many deletions or overwritings by one device at once
	KindAddress    Kind = 16 // address object resource (RFC 6352)
	KindEvent      Kind = 17 // calendar object resource with VEVENT (RFC 4791)
	KindTodo       Kind = 18 // … with VTODO
	KindJournal    Kind = 19 // … with VJOURNAL
	KindFreeBusy   Kind = 20 // … with VFREEBUSY
	KindAvailable  Kind = 21 // … with VAVAILABILITY (RFC 7953)
	KindFile       Kind = 32 // plain WebDAV resource
	KindReference  Kind = 33 // a photo in an album
	KindMail       Kind = 48 // reserved
)

var kindNames = map[Kind]string{KindAccount: "account", KindDevice: "device", KindTokenKey: "token-key", KindShare: "share", KindBinding: "binding", KindEpoch: "epoch",
	KindCollection: "collection", KindReversal: "reversal", KindBurst: "burst", KindAddress: "address", KindEvent: "event", KindTodo: "todo", KindJournal: "journal", KindFreeBusy: "freebusy",
	KindAvailable: "availability", KindFile: "file", KindReference: "reference", KindMail: "mail"}

// Name returns what the kind is called in a vault's lines, and wherever else people read it; ok is false for one that has no name.
func (k Kind) Name() (name string, ok bool) {
	name, ok = kindNames[k]
	return name, ok
}

// String returns the kind's name, or its number where it has none.
func (k Kind) String() string {
	if name, ok := k.Name(); ok {
		return name
	}
	return strconv.Itoa(int(k))
}

// Credential tells whether resources of this kind are never rewound: every restore takes their newest state.
func (k Kind) Credential() bool { return k < KindCollection }

// State is whether a resource is there.
type State uint8

// The states of a resource. Numbers are journaled.
const (
	Live      State = 0
	Tombstone State = 1 // deleted: all versions are kept
	Ghost     State = 2 // known to be lost: listed, never served
)

// MaxName is the longest name of a resource or collection, in octets of UTF-8: what file systems take.
const MaxName = 255

// Resource is a member of a collection as it is at one moment.
type Resource struct {
	Account     ID
	Collection  ID
	Name        string
	Kind        Kind
	State       State
	ContentType string // as received; empty: the default of its kind
	ETag        Hash   // SHA-256 of the octets
	Size        int64
	Seq         uint64    // the change that made it so
	Item        uint64    // number of the item in its account, given at creation: for ever the same
	Made        time.Time // when this incarnation was created
	Modified    time.Time
	UID         string
	Times       Times      // as UID: of live items, as they are now
	Device      ID         // that wrote it
	PropsHash   Hash       // SHA-256 of the encoded properties; zero: none
	Properties  Properties // nil unless asked for
	Body        []byte     // nil unless asked for; never changed by who holds it
	Blob        *Blob      // instead of Body, for large octets
	Pruned      bool       // of an earlier version: its octets were let go of by retention, and Body is nil whoever asks
}

// Index returns what was derived of the resource's octets, for who writes them again.
func (r *Resource) Index() Index { return Index{UID: r.UID, Times: r.Times} }

// Blob names large octets that lie outside the engine, by content.
type Blob struct {
	Hash Hash
	Size int64
}

// Property is a dead property (RFC 4918 section 4): a complete XML element, serialised so that it stands alone, kept verbatim.
type Property struct {
	Space, Local string
	XML          []byte
}

// Properties is a set of properties, ordered by (Space, Local), each name once.
type Properties []Property

// Limits of the properties of one resource, so that PROPPATCH cannot be used as a store of its own.
const (
	MaxProperties      = 200
	MaxPropertiesBytes = 256 << 10
)

func (p Property) compare(o Property) int {
	return cmp.Or(cmp.Compare(p.Space, o.Space), cmp.Compare(p.Local, o.Local))
}

// Get returns the property's XML, nil where it is absent.
func (ps Properties) Get(space, local string) []byte {
	i, ok := slices.BinarySearchFunc(ps, Property{Space: space, Local: local}, Property.compare)
	if !ok {
		return nil
	}
	return ps[i].XML
}

// Text returns the text in the property's XML, without the space around it; empty where the property is absent or not well-formed.
func (ps Properties) Text(space, local string) string {
	d := xml.NewDecoder(bytes.NewReader(ps.Get(space, local)))
	var b strings.Builder
	for {
		t, err := d.Token()
		if err == io.EOF {
			return strings.TrimSpace(b.String())
		}
		if err != nil {
			return ""
		}
		if c, ok := t.(xml.CharData); ok {
			b.Write(c)
		}
	}
}

// With returns a copy in which the property is set; nil XML removes it.
func (ps Properties) With(space, local string, xml []byte) Properties {
	out := slices.Clone(ps)
	i, ok := slices.BinarySearchFunc(out, Property{Space: space, Local: local}, Property.compare)
	switch {
	case ok && xml == nil:
		return slices.Delete(out, i, i+1)
	case ok:
		out[i].XML = xml
	case xml != nil:
		out = slices.Insert(out, i, Property{space, local, xml})
	}
	return out
}

// Encode returns the canonical octets of the set: nil for an empty one. They are what engines store and digests hash.
func (ps Properties) Encode() []byte {
	if len(ps) == 0 {
		return nil
	}
	b := []byte{1} // version
	b = binary.AppendUvarint(b, uint64(len(ps)))
	for _, p := range ps {
		b = appendField(b, []byte(p.Space))
		b = appendField(b, []byte(p.Local))
		b = appendField(b, p.XML)
	}
	return b
}

// DecodeProperties reads what Encode wrote.
func DecodeProperties(b []byte) (Properties, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if b[0] != 1 {
		return nil, fmt.Errorf("properties: version %d is not known", b[0])
	}
	n, b, err := takeUvarint(b[1:])
	if err != nil || n > uint64(len(b)) {
		return nil, errors.Join(errors.New("properties: count"), err)
	}
	ps := make(Properties, n)
	for i := range ps {
		var s, l, x []byte
		if s, b, err = takeField(b); err == nil {
			if l, b, err = takeField(b); err == nil {
				x, b, err = takeField(b)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("properties: %w", err)
		}
		ps[i] = Property{string(s), string(l), slices.Clone(x)}
	}
	if len(b) != 0 {
		return nil, errors.New("properties: octets after the end")
	}
	if !slices.IsSortedFunc(ps, Property.compare) {
		return nil, errors.New("properties: out of order")
	}
	return ps, nil
}

// CheckName tells why s cannot be the name of a resource or collection; nil if it can. Names are kept octet for octet, never normalised: two
// Unicode forms are two names, as clients expect what they PUT to be listed.
func CheckName(s string) error {
	switch {
	case s == "" || s == "." || s == "..":
		return fmt.Errorf("%q cannot be a name", s)
	case len(s) > MaxName:
		return fmt.Errorf("a name has at most %d octets, this one has %d", MaxName, len(s))
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' || r == unicode.ReplacementChar || r >= 0x80 && r < 0xa0 {
			return fmt.Errorf("the character %q cannot stand in a name", r)
		}
	}
	return nil
}

func isLetterish(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
