package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// What can be told of a vault without any key: for who keeps one for others and must neither read nor trust.

// Class is what an object of a vault is.
type Class int

// The classes of objects.
const (
	Unknown Class = iota
	ReadMe
	MetaObject
	TermObject
	HeadObject
	Segment    // Term, Number
	SegmentKey // Term, Number, Version
	PackObject
	IndexObject
	AccountKey // Account, Version
	Service
	ErasureObject   // Account
	BlobObject      // Version
	CondemnedObject // Account, Number
	UnnamedObject   // Number
)

// Name is the name of an object, read.
type Name struct {
	Class   Class
	Number  uint64
	Term    uint64
	Version uint64
	Account holdfast.ID
}

// ParseName reads the name of an object; its class is Unknown for names that no vault has.
func ParseName(name string) Name {
	switch name {
	case nameReadMe:
		return Name{Class: ReadMe}
	case nameMeta:
		return Name{Class: MetaObject}
	}
	for prefix, x := range map[string]struct {
		class  Class
		suffix string
	}{dirTerms: {TermObject, ""}, dirHeads: {HeadObject, ""}, dirService: {Service, ""}, dirUnnamed: {UnnamedObject, ""}} {
		if n, ok := numberOf(name, prefix, x.suffix); ok {
			return Name{Class: x.class, Number: n}
		}
	}
	if n, ok := numberOf(name, dirPages, packSuffix); ok {
		return Name{Class: PackObject, Number: n}
	}
	if n, ok := numberOf(name, dirPages, indexSuffix); ok {
		return Name{Class: IndexObject, Number: n}
	}
	if text, ok := strings.CutPrefix(name, dirErased); ok {
		if id, err := holdfast.ParseID(text); err == nil && ErasedName(id) == name {
			return Name{Class: ErasureObject, Account: id}
		}
	}
	if n, ok := parseBlobName(name); ok {
		return n
	}
	if n, ok := parseCondemnedName(name); ok {
		return n
	}
	if strings.HasPrefix(name, dirTail) {
		return parseTailName(name)
	}
	if k, ok := parseKeyName(name); ok && k.of == "account" {
		n, _ := numberOf(name, k.prefix, "")
		return Name{Class: AccountKey, Account: k.account, Version: n}
	}
	return Name{}
}

func parseTailName(name string) Name {
	rest := strings.TrimPrefix(name, dirTail)
	if len(rest) < 25 || rest[12] != '/' {
		return Name{}
	}
	term, ok := numberOf(rest[:12], "", "")
	n, ok2 := numberOf(rest[13:25], "", "")
	if !ok || !ok2 {
		return Name{}
	}
	out := Name{Class: SegmentKey, Term: term, Number: n, Version: 1}
	switch suffix := rest[25:]; {
	case suffix == place.Grows:
		out.Class, out.Version = Segment, 0
	case suffix == ".key":
	default:
		if out.Version, ok = numberOf(suffix, ".key.", ""); !ok {
			return Name{}
		}
	}
	return out
}

// ParseMeta reads vault.json. Errors: Corrupt, Invalid (a later version wrote it).
func ParseMeta(b []byte) (Meta, error) {
	var m Meta
	if err := json.Unmarshal(b, &m); err != nil || m.Vault.IsZero() || m.Store.IsZero() {
		return m, fail("ParseMeta", holdfast.Corrupt, nameMeta, "it does not say which vault this is", nil)
	}
	if m.Format > Format {
		return m, fail("ParseMeta", holdfast.Invalid, nameMeta, fmt.Sprintf("a later version of Holdfast writes this vault (format %d, this one knows %d)", m.Format, Format), nil)
	}
	return m, nil
}

// CheckKeyObject tells whether an object is a key object of its name, which one of the signers has signed. Errors: Corrupt.
func CheckKeyObject(name string, b []byte, signers []seal.PublicKey) error {
	n := ParseName(name)
	of, owner := "segment", SegmentName(n.Term, n.Number)
	if n.Class == AccountKey {
		of, owner = "account", n.Account.String()
	}
	var k KeyObject
	if err := json.Unmarshal(b, &k); err != nil || k.Of != of || k.Name != owner || k.Version != n.Version || len(k.Wrapped) == 0 || len(k.Recipients) == 0 {
		return fail("CheckKeyObject", holdfast.Corrupt, name, "it is no key object, or another one's", nil)
	}
	if !k.signedBy(signers) {
		return fail("CheckKeyObject", holdfast.Corrupt, name, "it is signed by nobody that the vault knows", nil)
	}
	return nil
}

// ParseErasure reads the record of an erased account, which one of the signers must have signed. Errors: Corrupt.
func ParseErasure(name string, b []byte, signers []seal.PublicKey) (Erasure, error) {
	var rec Erasure
	line, sig, err := seal.SplitLine(b)
	if err == nil {
		for _, s := range signers {
			if seal.Verify(s, line, sig) && json.Unmarshal(line, &rec) == nil && ErasedName(rec.Account) == name {
				return rec, nil
			}
		}
	}
	return Erasure{}, fail("Erase", holdfast.Corrupt, name, "the record of an erasure cannot be read, or is signed by nobody that the vault knows", err)
}

// SplitFrames reads frames that stand one behind the other, whole and nothing else, and judges their octets by their hashes. Errors: Corrupt.
func SplitFrames(b []byte) ([]FrameHeader, error) {
	var out []FrameHeader
	for len(b) > 0 {
		h, n, ok := ParseFrameHeader(b)
		if !ok || int64(len(b)-n) < h.Octets+1 || b[int64(n)+h.Octets] != '\n' {
			return nil, fail("SplitFrames", holdfast.Corrupt, "", "it is no whole frame", nil)
		}
		if holdfast.HashOf(b[n:int64(n)+h.Octets]) != h.SHA256 {
			return nil, fail("SplitFrames", holdfast.Corrupt, "", fmt.Sprintf("the frame of the batches %d to %d does not have its hash", h.First, h.Last), nil)
		}
		if k := len(out); k > 0 && (out[k-1].Last+1 != h.First || out[k-1].Hash != h.Prev) {
			return nil, fail("SplitFrames", holdfast.Corrupt, "", "the frames do not follow each other", nil)
		}
		out, b = append(out, h), b[int64(n)+h.Octets+1:]
	}
	return out, nil
}

// ReadFrames calls fn with the frames of a segment and whether each has its hash; wrong ones do not end it. Of octets between frames that are none the header says how many they are, and no batch. torn is how many octets at the end belong to none. Where hashes is false octets are passed over.
func (v *Vault) ReadFrames(ctx context.Context, segment string, hashes bool, fn func(h FrameHeader, sound bool) error) (torn int64, err error) {
	return v.walk(ctx, segment, func(f foundFrame) error {
		if f.rotted {
			if f.end {
				return nil
			}
			return fn(f.FrameHeader, false)
		}
		sound := true
		if hashes {
			r, err := v.p.Get(ctx, segment, f.at, f.Octets+1)
			if err != nil {
				return err
			}
			defer r.Close()
			sum, err := hashAll(io.LimitReader(r, f.Octets))
			if err != nil {
				return err
			}
			var end [1]byte
			_, err = io.ReadFull(r, end[:])
			sound = sum == f.SHA256 && err == nil && end[0] == '\n'
		}
		return fn(f.FrameHeader, sound)
	})
}

func hashAll(r io.Reader) (sum holdfast.Hash, err error) {
	h := sha256.New()
	if _, err = io.Copy(h, r); err == nil {
		h.Sum(sum[:0])
	}
	return sum, err
}

// Due tells which objects the vault needs no more, by the time that is counted along its heads: segments of which a pack was made that a head has named for KeepTail, and packs that others have
// replaced for Keep; and what a pruning replaced, by the rule of Purge. It needs no key, so what packs hold is judged by their hashes alone: a segment is due only where its pack is there and has its hash.
func (v *Vault) Due(ctx context.Context) ([]string, error) {
	var out []string
	note := func(name string) error {
		there, err := v.isThere(ctx, name)
		if there {
			out = append(out, name)
		}
		return err
	}
	err := v.due(ctx, v.CheckPack, note)
	if err == nil {
		err = v.duePurged(ctx, v.CheckPack, note)
	}
	return out, err
}

// Counted returns the time that is counted along the vault's heads.
func (v *Vault) Counted(ctx context.Context) (time.Duration, error) {
	l := &v.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	err := v.readLedger(ctx)
	return l.counted, err
}

// CheckPack tells whether a pack and its index are there and have the sizes and hashes that its head says. Errors: NotFound, Corrupt, those of the place.
func (v *Vault) CheckPack(ctx context.Context, p PackRef) error {
	for _, x := range []struct {
		name string
		size int64
		sum  holdfast.Hash
	}{{p.Name + packSuffix, p.Size, p.SHA256}, {p.Name + indexSuffix, p.IndexSize, p.IndexSHA256}} {
		r, err := v.p.Get(ctx, x.name, 0, x.size+1)
		if err != nil {
			return err
		}
		sum, err := hashAll(r)
		r.Close()
		if err != nil {
			return err
		}
		if sum != x.sum {
			return fail("CheckPack", holdfast.Corrupt, x.name, "it does not have the hash that its head says", nil)
		}
	}
	return nil
}

const ageBegins = "age-encryption.org/v1\n"

// Encrypted is how many octets IsEncrypted needs.
const Encrypted = len(ageBegins)

// IsEncrypted tells whether octets begin as an age file does.
func IsEncrypted(b []byte) bool { return bytes.HasPrefix(b, []byte(ageBegins)) }
