package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// Blobs, the octets of large files, lie in objects of their own: an age file for the account's key, without zstd, as photos and films are packed already. The name is made with the account's key, so it tells whoever holds the vault neither whose it is nor what.

// blobNames says what the key is for that names blobs.
const blobNames = "holdfast blob names 1"

// blobName is the name of a blob's object. One that is damaged there is never replaced: the blob is written once more, under the name with a dot and a version behind it, from 2 on.
func blobName(key *seal.Identity, h holdfast.Hash, version uint64) string {
	text := key.MAC(blobNames, h[:]).String()
	name := dirBlobs + text[:2] + "/" + text
	if version > 1 {
		name += "." + number(version)
	}
	return name
}

// parseBlobName reads the name of a blob's object.
func parseBlobName(name string) (Name, bool) {
	rest, ok := strings.CutPrefix(name, dirBlobs)
	if !ok || len(rest) < 3+64 || rest[2] != '/' || rest[:2] != rest[3:5] {
		return Name{}, false
	}
	for i := range 64 {
		if c := rest[3+i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return Name{}, false
		}
	}
	if len(rest) == 3+64 {
		return Name{Class: BlobObject, Version: 1}, true
	}
	version, ok := numberOf(rest[3+64:], ".", "")
	return Name{Class: BlobObject, Version: version}, ok && version > 1
}

// BlobBefore is the name of the object of a blob that the one of this name is written after, because that is damaged; "" for the first.
func BlobBefore(name string) string {
	n, ok := parseBlobName(name)
	first, _, _ := strings.Cut(name, ".")
	switch {
	case !ok || n.Version <= 1:
		return ""
	case n.Version == 2:
		return first
	}
	return first + "." + number(n.Version-1)
}

// blobObject is a blob's object that is there.
type blobObject struct {
	name    string
	version uint64
	fits    bool // it is as long as it must be
}

// blobObjects returns what is there of a blob, newest first.
func (v *Vault) blobObjects(ctx context.Context, key *seal.Identity, b holdfast.Blob) (out []blobObject, err error) {
	size, err := seal.SealedSize(b.Size, key.Recipient())
	if err != nil {
		return nil, err
	}
	err = v.p.List(ctx, blobName(key, b.Hash, 1), "", func(i place.Info) error {
		if n, ok := parseBlobName(i.Name); ok {
			out = append(out, blobObject{i.Name, n.Version, i.Size == size})
		}
		return nil
	})
	slices.Reverse(out)
	return out, err
}

// PutBlob makes sure that the vault has an account's blob, durably. What is there with the right length counts: see [Vault.VerifyBlob] for more. open opens its octets, which are read twice where the place must say their hash before it sends them; nothing of
// them is held in memory but a chunk. It can be called again after any error. Errors: Invalid (a ledger takes none), NotFound (the account was erased), Corrupt (what was opened has another length), those of open and of the place.
func (v *Vault) PutBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob, open func() (blob.File, error)) error {
	there, key, err := v.blobsOf(ctx, account, b)
	if err != nil || slices.ContainsFunc(there, func(o blobObject) bool { return o.fits }) {
		return err
	}
	return v.putBlob(ctx, account, key, there, b, open)
}

// MendBlob is PutBlob for a blob of which some object is known to be damaged: where none that is there has its hash, it is written once more.
func (v *Vault) MendBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob, open func() (blob.File, error)) error {
	there, key, err := v.blobsOf(ctx, account, b)
	if err != nil {
		return err
	}
	for _, o := range there {
		if !o.fits {
			continue
		}
		err := v.readObject(ctx, key, o.name, b, discard)
		if err == nil || !damaging(err) {
			return err
		}
	}
	return v.putBlob(ctx, account, key, there, b, open)
}

func (v *Vault) blobsOf(ctx context.Context, account holdfast.ID, b holdfast.Blob) ([]blobObject, *seal.Identity, error) {
	if v.meta.Ledger() {
		return nil, nil, fail("PutBlob", holdfast.Invalid, v.p.String(), "a ledger takes no octets of files", nil)
	}
	if v.isErasing(account) { // its key may be there still, where the place does not let it go at once
		return nil, nil, wasErased(account)
	}
	key, err := v.AccountKey(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	there, err := v.countable(ctx, key, b)
	return there, key, err
}

// countable is blobObjects for who relies on what is there: from here on nothing of the blob is removed as what no change names. What may still be removed, because a list names it or by a request that nobody heard the end of, fits nothing.
func (v *Vault) countable(ctx context.Context, key *seal.Identity, b holdfast.Blob) ([]blobObject, error) {
	mac := key.MAC(blobNames, b.Hash[:])
	named, err := v.listedVersion(ctx, mac)
	if err != nil {
		return nil, err
	}
	lost, err := v.o.Watch.touch(ctx, mac)
	if err != nil {
		return nil, err
	}
	lost = max(lost, named)
	there, err := v.blobObjects(ctx, key, b)
	for i := range there {
		there[i].fits = there[i].fits && there[i].version > lost
	}
	if lost > 0 && (len(there) == 0 || there[0].version < lost) {
		there = append([]blobObject{{version: lost}}, there...) // its name is not used again
	}
	return there, err
}

func wasErased(account holdfast.ID) error {
	return fail("PutBlob", holdfast.NotFound, account.String(), "the account was erased", nil)
}

func (v *Vault) putBlob(ctx context.Context, account holdfast.ID, key *seal.Identity, there []blobObject, b holdfast.Blob, open func() (blob.File, error)) error {
	f, err := open()
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Size() != b.Size {
		return fail("PutBlob", holdfast.Corrupt, b.Hash.String(), fmt.Sprintf("it has %d octets, and its change says %d", f.Size(), b.Size), nil)
	}
	sealed, err := seal.NewStream(&heeding{ctx, f}, b.Size, key.Recipient())
	if err != nil {
		return err
	}
	version := uint64(1)
	if len(there) > 0 {
		version = there[0].version + 1
	}
	err = v.p.Put(ctx, blobName(key, b.Hash, version), sealed)
	if err == nil && v.isErasing(account) { // meanwhile; the lists may not name it
		_, err = v.lets(ctx, blobName(key, b.Hash, version))
		return firstErr(err, wasErased(account))
	}
	if !holdfast.IsKind(err, holdfast.Exists) {
		return err
	}
	there, err = v.countable(ctx, key, b) // somebody else was faster, or an answer got lost
	if err == nil && !slices.ContainsFunc(there, func(o blobObject) bool { return o.fits && o.version >= version }) {
		err = fail("PutBlob", holdfast.Unavailable, b.Hash.String(), "something else took its name meanwhile; try again", nil)
	}
	return err
}

// heeding ends reads once ctx has ended: a film is sent for a long time.
type heeding struct {
	ctx context.Context
	r   io.ReaderAt
}

func (w *heeding) ReadAt(p []byte, off int64) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.r.ReadAt(p, off)
}

// HasBlob tells whether the vault has an object of a blob's name and length. It reads none of it.
func (v *Vault) HasBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob) (bool, error) {
	key, err := v.FindAccountKey(ctx, account)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	there, err := v.countable(ctx, key, b)
	return slices.ContainsFunc(there, func(o blobObject) bool { return o.fits }), err
}

// CheckBlob tells what is wrong with a blob that the vault should have; nil: nothing. deep: its octets are read, as a restore would; otherwise its name and its length are enough. Errors: those of the place, which say nothing of the blob.
func (v *Vault) CheckBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob, deep bool) (*Damage, error) {
	lists, err := v.readLists(ctx)
	if err != nil {
		return nil, err
	}
	err = v.eachBlob(ctx, "CheckBlob", account, b, func(key *seal.Identity, name string) error {
		if v.isOn(lists, name) {
			return fail("CheckBlob", holdfast.NotFound, name, "it is on a list of what no change names, and goes", nil)
		}
		if !deep {
			return nil
		}
		return v.readObject(ctx, key, name, b, discard)
	})
	if err == nil || ctx.Err() != nil || !damaging(err) {
		return nil, err
	}
	name := "blobs of " + account.String() // without its key nobody can name it
	if key, err := v.FindAccountKey(ctx, account); err == nil {
		name = blobName(key, b.Hash, 1)
	}
	var e *holdfast.Error
	if errors.As(err, &e) && strings.HasPrefix(e.Ref, dirBlobs) {
		name = e.Ref
	}
	return &Damage{v.meta.Name, name, wording(name, err)}, nil
}

// OwnedBlob is a blob of an account.
type OwnedBlob struct {
	Account holdfast.ID
	holdfast.Blob
}

// LackingBlobs returns those of the blobs, each given once, of which the vault has no object of the right length that stays. It lists what is there, once, and asks for none by itself; in memory are some 150 octets of each.
func (v *Vault) LackingBlobs(ctx context.Context, list []OwnedBlob) (lacking []OwnedBlob, err error) {
	type wish struct {
		mac  holdfast.Hash
		at   int   // of list
		size int64 // sealed
	}
	wishes := make([]wish, 0, len(list))
	for i, b := range list {
		key, err := v.FindAccountKey(ctx, b.Account)
		if holdfast.IsKind(err, holdfast.NotFound) {
			lacking = append(lacking, b)
			continue
		}
		if err != nil {
			return nil, err
		}
		size, err := seal.SealedSize(b.Size, key.Recipient())
		if err != nil {
			return nil, err
		}
		wishes = append(wishes, wish{key.MAC(blobNames, b.Hash[:]), i, size})
	}
	slices.SortFunc(wishes, func(a, b wish) int { return compareHashes(a.mac, b.mac) })
	macs, has := make([]holdfast.Hash, len(wishes)), make([]bool, len(wishes))
	for i := range wishes {
		macs[i] = wishes[i].mac
	}
	lists, err := v.readLists(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.shelves(ctx, macs, func(i place.Info, at int) { has[at] = has[at] || i.Size == wishes[at].size && !v.isOn(lists, i.Name) }); err != nil {
		return nil, err
	}
	for i, w := range wishes {
		if !has[i] {
			lacking = append(lacking, list[w.at])
		}
	}
	return lacking, nil
}

// eachBlob calls fn with the objects of a blob, newest first, until one is not damaged. Errors: NotFound (there is none), that of the newest.
func (v *Vault) eachBlob(ctx context.Context, op string, account holdfast.ID, b holdfast.Blob, fn func(key *seal.Identity, name string) error) error {
	key, err := v.FindAccountKey(ctx, account)
	if err != nil {
		return err
	}
	there, err := v.blobObjects(ctx, key, b)
	if err != nil {
		return err
	}
	if len(there) == 0 {
		return fail(op, holdfast.NotFound, b.Hash.String(), "the vault has no octets of this file", nil)
	}
	var first error
	for _, o := range there {
		err := fail(op, holdfast.Corrupt, o.name, "it has another length than the file's octets have, sealed", nil)
		if o.fits {
			err = fn(key, o.name)
		}
		if err == nil || !damaging(err) && !holdfast.IsKind(err, holdfast.Unauthorized) {
			return err
		}
		first = firstErr(first, err)
	}
	return first
}

// ReadBlob hands fn a blob's octets as a stream, in bounded memory, which ends in Corrupt, and not in io.EOF, where they do not have their hash. fn is called again, from the beginning, where another object holds them whole: what it did before is void then.
// Errors: NotFound (no object of it, or no key of the account), Corrupt, those of fn and of the place.
func (v *Vault) ReadBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(io.Reader) error) error {
	return v.eachBlob(ctx, "ReadBlob", account, b, func(key *seal.Identity, name string) error {
		return v.readObject(ctx, key, name, b, fn)
	})
}

// readObject is ReadBlob of one object.
func (v *Vault) readObject(ctx context.Context, key *seal.Identity, name string, b holdfast.Blob, fn func(io.Reader) error) error {
	r, err := v.steady(ctx, name)
	if err != nil {
		return err
	}
	defer r.Close()
	plain, err := seal.Decrypt(r, key)
	if err != nil {
		return err
	}
	src := &judged{r: plain, b: b, name: name, sum: sha256.New()}
	if err := fn(src); err != nil {
		return err
	}
	return src.finish()
}

// VerifyBlob reads a blob as a restore would. Errors: those of ReadBlob.
func (v *Vault) VerifyBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob) error {
	return v.ReadBlob(ctx, account, b, discard)
}

func discard(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// judged ends in an error where what was read is not the blob.
type judged struct {
	r     io.Reader
	b     holdfast.Blob
	name  string
	sum   hash.Hash
	size  int64
	ended bool
}

func (j *judged) Read(p []byte) (int, error) {
	n, err := j.r.Read(p)
	j.sum.Write(p[:n])
	j.size += int64(n)
	if j.size > j.b.Size || err == io.EOF && (j.size != j.b.Size || holdfast.Hash(j.sum.Sum(nil)) != j.b.Hash) {
		return 0, fail("ReadBlob", holdfast.Corrupt, j.name, "it is not the file that its name says", nil)
	}
	j.ended = j.ended || err == io.EOF
	return n, err
}

// finish judges what fn left unread: only a blob that was read to its end is known to be whole.
func (j *judged) finish() error {
	if j.ended {
		return nil
	}
	_, err := io.Copy(io.Discard, j)
	return err
}

// OpenBlob opens a blob for reading any part of it; of a place elsewhere a part costs one request for each [blobWindow]. Each chunk is authenticated, and the last one proves the length; that the whole has its hash only [Vault.ReadBlob] says. ctx is that of all reads.
// Errors, also of its reads: NotFound, Corrupt, those of the place.
func (v *Vault) OpenBlob(ctx context.Context, account holdfast.ID, b holdfast.Blob) (f blob.File, err error) {
	err = v.eachBlob(ctx, "OpenBlob", account, b, func(key *seal.Identity, name string) error {
		size, err := seal.SealedSize(b.Size, key.Recipient())
		if err != nil {
			return err
		}
		plain, n, err := seal.DecryptAt(&window{ctx: ctx, p: v.p, name: name, size: size}, size, key)
		if err == nil && n != b.Size {
			err = fail("OpenBlob", holdfast.Corrupt, name, "it holds another number of octets than the file has", nil)
		}
		if err == nil {
			f = &blobFile{plain, n}
		}
		return err
	})
	return f, err
}

type blobFile struct {
	io.ReaderAt
	size int64
}

func (f *blobFile) Size() int64  { return f.size }
func (f *blobFile) Close() error { return nil }
