package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast"
)

// maxTitle is the longest title of an album, in octets of UTF-8.
const maxTitle = 200

// judgeReference is the judge of albums: a member is a reference, and its name is the hash of the photo, so that each photo is in an album once.
func judgeReference(_ *holdfast.Collection, name, _ string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	ref, err := holdfast.DecodeReference(body)
	if err == nil && ref.Hash.String() != name {
		err = fmt.Errorf("a photo is in an album under its hash")
	}
	if err != nil {
		return 0, holdfast.Index{}, fail("Put", holdfast.Invalid, name, err.Error())
	}
	return holdfast.KindReference, holdfast.Index{}, nil
}

// checkTitle brings a title into the form in which it is kept.
func checkTitle(title string) (string, error) {
	title = strings.TrimSpace(title)
	if title == "" || len(title) > maxTitle || !utf8.ValidString(title) || strings.ContainsFunc(title, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fail("Album", holdfast.Invalid, title, fmt.Sprintf("the title of an album has 1 to %d octets of plain text", maxTitle))
	}
	return title, nil
}

// nameOf makes a collection's name of a title: what can stand in a path. The nth of the same title has a number.
func nameOf(title string, n int) string {
	name := strings.Map(func(r rune) rune {
		if holdfast.CheckName("a"+string(r)) != nil {
			return '-'
		}
		return r
	}, title)
	if holdfast.CheckName(name) != nil {
		name = "album"
	}
	if n > 1 {
		name = fmt.Sprintf("%s (%d)", name, n)
	}
	return name
}

// sameTitle is how many albums may have one title.
const sameTitle = 50

// MakeAlbum makes an empty album. Errors: Invalid (the title), TooLarge (the account has too many collections, or too many albums of this title).
func (s *Service) MakeAlbum(ctx context.Context, p holdfast.Principal, owner holdfast.ID, title string) (holdfast.ID, holdfast.Receipt, error) {
	var receipt holdfast.Receipt
	title, err := checkTitle(title)
	if err != nil {
		return holdfast.ID{}, receipt, err
	}
	home, err := s.albumsHome(ctx, p, owner)
	if err != nil {
		return holdfast.ID{}, receipt, err
	}
	for n := 1; n <= sameTitle; n++ {
		q := NewCollection{Owner: owner, Parent: home, Name: nameOf(title, n), Type: holdfast.TypeAlbum, Properties: holdfast.Properties{{Space: "DAV:", Local: "displayname", XML: labelXML(title)}}}
		id, receipt, err := s.MakeCollection(ctx, p, q)
		if !holdfast.IsKind(err, holdfast.Exists) {
			return id, receipt, err
		}
	}
	return holdfast.ID{}, receipt, fail("MakeAlbum", holdfast.TooLarge, title, "there are too many albums of this title; choose another")
}

// albumsHome returns the home of an account's albums, which is made where the account is older than albums.
func (s *Service) albumsHome(ctx context.Context, p holdfast.Principal, owner holdfast.ID) (home holdfast.ID, err error) {
	person, err := s.active(ctx, p, owner)
	if err != nil {
		return home, err
	}
	for range maxRetries {
		if home, ok := person.paths[pathKey{owner, holdfast.HomeAlbums}]; ok {
			return home, nil
		}
		e := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindCollection, holdfast.NewID(s.random), "", holdfast.CollectionRecord{Parent: owner, Name: holdfast.HomeAlbums, Type: holdfast.TypeHome}.Encode(), nil)
		if err = s.commitOne(ctx, owner, e); err == nil {
			return e.Collection, nil
		}
		if !holdfast.IsKind(err, holdfast.Exists) { // another request made it
			return home, err
		}
		if person, err = s.active(ctx, p, owner); err != nil {
			return home, err
		}
	}
	return home, fail("MakeAlbum", holdfast.Busy, "", "the home of albums could not be made; try again")
}

// RenameAlbum gives an album another title. Its path stays. Errors: Invalid, NotFound.
func (s *Service) RenameAlbum(ctx context.Context, p holdfast.Principal, owner, album holdfast.ID, title string) (holdfast.Receipt, error) {
	title, err := checkTitle(title)
	if err == nil {
		err = s.isAlbum(ctx, p, owner, album)
	}
	if err != nil {
		return holdfast.Receipt{}, err
	}
	return s.SetProperties(ctx, p, Place{Owner: owner, Collection: album}, nil, func(props holdfast.Properties) (holdfast.Properties, error) {
		return props.With("DAV:", "displayname", labelXML(title)), nil
	})
}

func (s *Service) isAlbum(ctx context.Context, p holdfast.Principal, owner, album holdfast.ID) error {
	c, err := s.target(ctx, p, Place{Owner: owner, Collection: album})
	if err == nil && c.Type != holdfast.TypeAlbum {
		err = fail("Album", holdfast.NotFound, c.Name, "this is no album but "+article(c.Type))
	}
	return err
}

// DeleteAlbum deletes an album; the photos in it stay where they are. Errors: NotFound.
func (s *Service) DeleteAlbum(ctx context.Context, p holdfast.Principal, owner, album holdfast.ID) (holdfast.Receipt, error) {
	if err := s.isAlbum(ctx, p, owner, album); err != nil {
		return holdfast.Receipt{}, err
	}
	return s.Delete(ctx, p, Place{Owner: owner, Collection: album}, holdfast.Precondition{}, nil)
}

// AddToAlbum puts photos into an album, in one commit; those that are in it already stay as they are. added counts the others; where there are none the receipt is zero. Errors: NotFound, Invalid, TooLarge (more than MaxGroup).
func (s *Service) AddToAlbum(ctx context.Context, p holdfast.Principal, owner, album holdfast.ID, photos []holdfast.Reference) (added int, r holdfast.Receipt, err error) {
	return s.members(ctx, p, owner, album, photos, func(ref holdfast.Reference, now *holdfast.Resource) *holdfast.Entry {
		if now != nil {
			return nil
		}
		e := s.entry(p.Actor(), holdfast.OpPut, holdfast.KindReference, album, ref.Hash.String(), ref.Encode(), nil)
		e.If.Exists = holdfast.Absent
		return &e
	})
}

// RemoveFromAlbum takes photos out of an album, in one commit; they stay where they are. removed counts those that were in it. Errors: NotFound (the album), TooLarge.
func (s *Service) RemoveFromAlbum(ctx context.Context, p holdfast.Principal, owner, album holdfast.ID, photos []holdfast.Hash) (removed int, r holdfast.Receipt, err error) {
	var refs []holdfast.Reference
	for _, h := range photos {
		refs = append(refs, holdfast.Reference{Hash: h, Collection: album, Name: h.String()})
	}
	removed, r, err = s.members(ctx, p, owner, album, refs, func(ref holdfast.Reference, now *holdfast.Resource) *holdfast.Entry {
		if now == nil {
			return nil
		}
		e := s.entry(p.Actor(), holdfast.OpDelete, holdfast.KindReference, album, ref.Hash.String(), nil, nil)
		e.If.Seq = now.Seq
		return &e
	})
	for i := range removed {
		if err == nil {
			s.done(ctx, p, owner, act{seq: r.Seq - uint64(removed-1-i), collection: album, deleted: 1})
		}
	}
	return removed, r, err
}

// members changes members of an album by what entry makes of what is there now, in one commit; nil: nothing is to be done.
func (s *Service) members(ctx context.Context, p holdfast.Principal, owner, album holdfast.ID, refs []holdfast.Reference, entry func(holdfast.Reference, *holdfast.Resource) *holdfast.Entry) (n int, r holdfast.Receipt, err error) {
	if len(refs) > holdfast.MaxGroup {
		return 0, r, fail("Album", holdfast.TooLarge, "", fmt.Sprintf("at most %d photos at once", holdfast.MaxGroup))
	}
	if err := s.isAlbum(ctx, p, owner, album); err != nil {
		return 0, r, err
	}
	c := holdfast.Collection{ID: album, CollectionRecord: holdfast.CollectionRecord{Type: holdfast.TypeAlbum}}
	seen := map[holdfast.Hash]bool{}
	refs = slices.DeleteFunc(slices.Clone(refs), func(x holdfast.Reference) bool { was := seen[x.Hash]; seen[x.Hash] = true; return was })
	for _, x := range refs {
		if _, _, err := judgeReference(&c, x.Hash.String(), "", x.Encode()); err != nil {
			return 0, r, err
		}
	}
	err = s.retry(ctx, func() error {
		g := &holdfast.Group{Account: owner, MaxOctets: s.limits.Quota}
		if err := s.eachMember(ctx, owner, album, refs, func(x holdfast.Reference, now *holdfast.Resource) {
			if e := entry(x, now); e != nil {
				g.Entries = append(g.Entries, *e)
			}
		}); err != nil {
			return err
		}
		if n = len(g.Entries); n == 0 {
			return nil
		}
		r, err = s.commitFor(ctx, p, g, album)
		return err
	})
	return n, r, err
}

// eachMember calls fn with what an album has of each reference now: nil, where it is not in it.
func (s *Service) eachMember(ctx context.Context, owner, album holdfast.ID, refs []holdfast.Reference, fn func(holdfast.Reference, *holdfast.Resource)) error {
	snap, err := s.newest(ctx, owner)
	if err != nil {
		return err
	}
	defer snap.Close()
	for _, x := range refs {
		r, err := snap.Resource(album, x.Hash.String(), 0)
		switch {
		case err == nil:
			fn(x, &r)
		case holdfast.IsKind(err, holdfast.NotFound):
			fn(x, nil)
		default:
			return err
		}
	}
	return nil
}
