package vaultd

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"holdfast"
	"holdfast/internal/vfs"
)

// Right is what a credential allows.
type Right string

// The rights. Append and Prune read too.
const (
	Read  Right = "read"
	Add   Right = "append"
	Prune Right = "prune"
)

// Rights are all of them.
var Rights = []Right{Add, Read, Prune}

// Credentials are the hashes of a server's credentials.
type Credentials struct {
	hashes map[Right][]holdfast.Hash
}

// credentialsName is the file of hashes.
const credentialsName = "credentials.json"

// FileOf is where a credential is written when it is made, for the operator to take it to whom it is for; it can be removed then.
func FileOf(dir string, r Right) string { return filepath.Join(dir, string(r)+".txt") }

// OpenCredentials reads the hashes in a directory. Where there are none, credentials are made: each is written to its file, readable for its owner alone and with note below it, then the hashes. made tells that.
func OpenCredentials(fsys vfs.FS, dir, note string) (c *Credentials, made bool, err error) {
	name := filepath.Join(dir, credentialsName)
	b, err := vfs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		c = &Credentials{hashes: map[Right][]holdfast.Hash{}}
		for _, r := range Rights {
			if err := c.add(fsys, dir, note, r); err != nil {
				return nil, false, err
			}
		}
		return c, true, c.write(fsys, dir)
	}
	if err != nil {
		return nil, false, fmt.Errorf("vaultd.OpenCredentials: %w", err)
	}
	c = &Credentials{}
	if err := json.Unmarshal(b, &c.hashes); err != nil {
		return nil, false, &holdfast.Error{Op: "vaultd.OpenCredentials", Kind: holdfast.Invalid, Ref: name, Text: "the file of credentials cannot be read; remove it to have new ones made"}
	}
	return c, false, nil
}

// Renew makes a new credential for a right; the ones before are taken no more.
func (c *Credentials) Renew(fsys vfs.FS, dir, note string, r Right) error {
	c.hashes[r] = nil
	if err := c.add(fsys, dir, note, r); err != nil {
		return err
	}
	return c.write(fsys, dir)
}

func (c *Credentials) add(fsys vfs.FS, dir, note string, r Right) error {
	secret := make([]byte, 20)
	_, _ = rand.Read(secret) // never fails
	text := "hfv-" + string(r) + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(secret))
	c.hashes[r] = append(c.hashes[r], sha256.Sum256([]byte(text)))
	return vfs.WriteFileAtomic(fsys, FileOf(dir, r), []byte(text+"\n"+note), 0o600)
}

func (c *Credentials) write(fsys vfs.FS, dir string) error {
	b, err := json.MarshalIndent(c.hashes, "", "  ")
	if err != nil {
		return fmt.Errorf("vaultd.Credentials: %w", err)
	}
	return vfs.WriteFileAtomic(fsys, filepath.Join(dir, credentialsName), append(b, '\n'), 0o600)
}

// of returns the right of a credential; ok is false for what is none. It takes as long for each.
func (c *Credentials) of(text string) (found Right, ok bool) {
	sum := sha256.Sum256([]byte(text))
	for _, r := range Rights {
		for _, h := range c.hashes[r] {
			if subtle.ConstantTimeCompare(sum[:], h[:]) == 1 {
				found, ok = r, true
			}
		}
	}
	return found, ok
}

// Own is the directory that the server has for itself within the one of a vault: no object has such a name.
const Own = ".server"

// OpenOwn makes the server's own directory in a vault's, and takes away what an interrupted write left there.
func OpenOwn(fsys vfs.FS, root string) (string, error) {
	dir := filepath.Join(root, Own)
	if err := vfs.MkdirDurable(fsys, dir, 0o700); err != nil {
		return "", err
	}
	_, err := vfs.RemoveTemps(fsys, dir)
	return dir, err
}
