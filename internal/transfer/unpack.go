package transfer

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"holdfast"
)

// maxManifest bounds what is kept in memory of a manifest: some four million resources.
const maxManifest = 1 << 30

// Progress is told now and then how far a transfer has come.
type Progress func(items int, octets int64)

// Unpack writes what Export wrote into a target, and compares every file with the manifest. The target is committed by the caller, once Unpack has
// returned nil. merge makes one file of each address book and calendar too, for other programs.
func Unpack(ctx context.Context, r io.Reader, t *Target, merge bool, progress Progress) (*Manifest, error) {
	var m *merger
	if merge {
		var err error
		if m, err = newMerger(t); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
	}
	in := tar.NewReader(r)
	sums := map[string]holdfast.Hash{}
	var octets int64
	for {
		h, err := in.Next()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return nil, errors.New("export: the stream ended before its manifest; nothing was written")
		case err != nil:
			return nil, fmt.Errorf("export: the stream broke off: %w", err)
		case h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(h.Name)):
			return nil, fmt.Errorf("export: %q cannot be the name of a file here", h.Name)
		}
		if h.Name == ManifestName {
			return finishUnpack(in, h, t, m, sums)
		}
		sum := sha256.New()
		if err := m.copyMerging(t, h.Name, h.ModTime, io.TeeReader(in, sum)); err != nil {
			return nil, fmt.Errorf("export %s: %w", h.Name, err)
		}
		sums[h.Name] = holdfast.Hash(sum.Sum(nil))
		octets += h.Size
		progress(len(sums), octets)
	}
}

func finishUnpack(in io.Reader, h *tar.Header, t *Target, merged *merger, sums map[string]holdfast.Hash) (*Manifest, error) {
	if h.Size > maxManifest {
		return nil, fmt.Errorf("export: a manifest of %d octets is not read", h.Size)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("export: the stream broke off: %w", err)
	}
	m := &Manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("export: the manifest cannot be read: %w", err)
	}
	if len(m.Files) != len(sums) {
		return nil, fmt.Errorf("export: %d files came, the manifest names %d", len(sums), len(m.Files))
	}
	for _, f := range m.Files {
		if sum, ok := sums[f.Path]; !ok || sum != f.SHA256 {
			return nil, fmt.Errorf("export: %s did not arrive as it was sent", f.Path)
		}
	}
	for _, c := range m.Collections { // empty ones too, but for those that nobody can put anything into
		if c.Type == holdfast.TypeInbox || c.Type == holdfast.TypeOutbox {
			continue
		}
		if err := t.dir(c.Path, h.ModTime); err != nil {
			return nil, fmt.Errorf("export %s: %w", c.Path, err)
		}
	}
	if merged != nil {
		if err := merged.finish(m, h.ModTime); err != nil {
			return nil, err
		}
		if b, err = json.MarshalIndent(m, "", "  "); err != nil {
			return nil, err
		}
		b = append(b, '\n')
	}
	return m, t.addBytes(ManifestName, h.ModTime, b)
}
