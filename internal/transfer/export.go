package transfer

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// A page of an export is read in one snapshot, and kept in memory while it is written.
const (
	pageItems  = 256
	pageOctets = 8 << 20
)

// member is a resource that is to be exported.
type member struct {
	collection holdfast.ID
	path       string
	name       string
	etag       holdfast.Hash
	size       int64
}

// Export writes an account to w as a tar stream, as it is at the moment of the call; what is changed while it runs shows in the next one. The last entry is
// the manifest. An error in between leaves the stream without it.
//
// Errors: NotFound (the account), Corrupt (stored octets do not match their hash), those of w.
func Export(ctx context.Context, s *core.Service, account holdfast.ID, w io.Writer) error {
	x := &export{s: s, account: account, tar: tar.NewWriter(w)}
	if err := s.Inspect(ctx, account, x.survey); err != nil {
		return err
	}
	x.manifest.Exported = s.Now().Truncate(time.Second)
	for rest := x.members; len(rest) > 0; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := x.page(ctx, rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return x.finish()
}

type export struct {
	s        *core.Service
	account  holdfast.ID
	tar      *tar.Writer
	manifest Manifest
	members  []member
}

// survey notes the names and hashes of everything that is live at this moment.
func (x *export) survey(r *core.Reader) error {
	a := r.Owner()
	d, err := r.Digest(0)
	if err != nil {
		return err
	}
	x.manifest = Manifest{Schema: manifestSchema, Account: ManifestAccount{a.ID, a.Email, a.Created.UTC()},
		Epoch: d.Epoch, Seq: d.Seq, Chain: d.Chain, Digest: d.State, Collections: []ManifestCollection{}, Files: []ManifestFile{}}
	cs, err := r.Collections()
	if err != nil {
		return err
	}
	paths := map[holdfast.ID]string{}
	for _, c := range cs { // parents come before their children
		path := c.Name
		if parent, ok := paths[c.Parent]; ok {
			path = parent + "/" + c.Name
		}
		paths[c.ID] = path
		x.manifest.Collections = append(x.manifest.Collections,
			ManifestCollection{Path: path, Name: c.Properties.Text("DAV:", "displayname"), Type: c.Type, Components: c.Components, Properties: properties(c.Properties)})
		err := r.List(c.ID, "", 0, 0, func(m *holdfast.Resource) error {
			if m.State == holdfast.Ghost {
				x.manifest.Lost = append(x.manifest.Lost, ManifestLost{path + "/" + m.Name, m.Kind.String(), m.ETag, m.Size, m.Modified.UTC()})
				return nil
			}
			x.members = append(x.members, member{c.ID, path + "/" + m.Name, m.Name, m.ETag, m.Size})
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(x.manifest.Collections, func(a, b ManifestCollection) int { return cmp.Compare(a.Path, b.Path) })
	return nil
}

// page reads as many members as fit and writes them; one whose octets lie beside the engine is the last of a page. The snapshot is closed before the first octet leaves.
func (x *export) page(ctx context.Context, rest []member) (int, error) {
	var got []holdfast.Resource
	var open func(context.Context) (*core.Octets, error) // those of the last
	var lost error                                       // why they are not to be had
	err := x.s.Inspect(ctx, x.account, func(r *core.Reader) error {
		octets := int64(0)
		for i, m := range rest {
			if i == pageItems || i > 0 && octets+m.size > pageOctets {
				break
			}
			// At the moment of the survey, whatever was changed since.
			res, err := r.History().ResourceAt(m.collection, m.name, x.manifest.Seq, core.WithBody|core.WithProps|core.WithType)
			if err != nil {
				return fmt.Errorf("export %s: %w", m.path, err)
			}
			octets += m.size
			if got = append(got, res); res.Blob == nil {
				continue
			}
			open, err = r.Opener(&res)
			return err
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	var large *core.Octets
	if open != nil { // they may have to come from a vault, which may be slow
		large, err = open(ctx)
		if holdfast.IsKind(err, holdfast.Corrupt) {
			lost, err = err, nil
		}
		if err != nil {
			return 0, err
		}
	}
	if large != nil {
		defer large.Close()
	}
	for i := range got {
		switch m, r := &rest[i], &got[i]; {
		case r.Blob == nil:
			err = x.write(m, r)
		case lost != nil:
			x.manifest.Lost = append(x.manifest.Lost, ManifestLost{m.path, r.Kind.String(), m.etag, m.size, r.Modified.UTC()})
		default:
			err = x.writeLarge(m, r, large)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(got), nil
}

func (x *export) write(m *member, r *holdfast.Resource) error {
	if r.Pruned {
		return core.LetGo("transfer.Export", m.path, m.size)
	}
	if sum := holdfast.HashOf(r.Body); sum != m.etag {
		return &holdfast.Error{Op: "transfer.Export", Kind: holdfast.Corrupt, Ref: m.path,
			Text: fmt.Sprintf("the stored octets have the hash %s, and should have %s; run `holdfast doctor`", sum, m.etag)}
	}
	return x.file(m, r, bytes.NewReader(r.Body), int64(len(r.Body)))
}

// writeLarge writes a file whose octets lie beside the engine. They are verified as they are read; who takes them out compares the whole with the manifest.
func (x *export) writeLarge(m *member, r *holdfast.Resource, from *core.Octets) error {
	if err := x.file(m, r, io.NewSectionReader(from, 0, from.Size()), from.Size()); err != nil {
		return fmt.Errorf("export %s: %w", m.path, err)
	}
	return nil
}

func (x *export) file(m *member, r *holdfast.Resource, from io.Reader, size int64) error {
	x.manifest.Files = append(x.manifest.Files, ManifestFile{Path: m.path, SHA256: m.etag, Octets: size, ContentType: r.ContentType, Modified: r.Modified.UTC(), Properties: properties(r.Properties)})
	return x.entry(m.path, r.Modified, from, size)
}

func (x *export) entry(name string, modified time.Time, from io.Reader, size int64) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: modified.UTC(), Format: tar.FormatPAX}
	if err := x.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("export %s: %w", name, err)
	}
	_, err := io.Copy(x.tar, from)
	return err
}

func (x *export) finish() error {
	b, err := json.MarshalIndent(x.manifest, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if err := x.entry(ManifestName, x.manifest.Exported, bytes.NewReader(b), int64(len(b))); err != nil {
		return err
	}
	return x.tar.Close()
}
