package core

import (
	"context"

	"holdfast"
)

// namePhotos is the folder for photos that each account has from its first moment.
const namePhotos = "Photos"

// marked returns properties that say of a folder whether its files are photos.
func marked(props holdfast.Properties, photos bool) holdfast.Properties {
	return props.With(holdfast.SpaceHoldfast, holdfast.PropPhotos, holdfast.MarkXML(holdfast.SpaceHoldfast, holdfast.PropPhotos, photos))
}

// mark is what a collection itself says of its files: "1" they are photos, "0" they are not, "" nothing.
func mark(c *holdfast.Collection) string {
	switch v := c.Properties.Text(holdfast.SpaceHoldfast, holdfast.PropPhotos); v {
	case "0", "1":
		return v
	}
	return ""
}

// PhotoFolders are those collections of an account whose files are photos, parents before children: those that are marked, and what is below them and says nothing else. all are its collections, those that are gone included.
func PhotoFolders(account holdfast.ID, all []holdfast.Collection) (out []holdfast.Collection) {
	is := map[holdfast.ID]bool{}
	for _, c := range reachable(account, all, false) {
		if c.Type != holdfast.TypeFolder && (c.Type != holdfast.TypeHome || c.Name != holdfast.HomeFiles) {
			continue
		}
		is[c.ID] = is[c.Parent]
		if m := mark(&c); m != "" {
			is[c.ID] = m == "1"
		}
		if is[c.ID] {
			out = append(out, c)
		}
	}
	return out
}

// Albums are the albums of an account. all are its collections, those that are gone included.
func Albums(account holdfast.ID, all []holdfast.Collection) (out []holdfast.Collection) {
	for _, c := range reachable(account, all, false) {
		if c.Type == holdfast.TypeAlbum {
			out = append(out, c)
		}
	}
	return out
}

// MarkPhotos says of a folder, or of the home of files, whether its files are photos. Errors: Invalid (it is neither), and those of SetProperties.
func (s *Service) MarkPhotos(ctx context.Context, p holdfast.Principal, at Place, photos bool) (holdfast.Receipt, error) {
	c, err := s.target(ctx, p, Place{Owner: at.Owner, Collection: at.Collection})
	if err != nil {
		return holdfast.Receipt{}, err
	}
	if c.Type != holdfast.TypeFolder && c.Type != holdfast.TypeHome || at.Name != "" {
		return holdfast.Receipt{}, fail("MarkPhotos", holdfast.Invalid, c.Name, "photos lie in folders, this is "+article(c.Type))
	}
	return s.SetProperties(ctx, p, Place{Owner: at.Owner, Collection: at.Collection}, nil, func(props holdfast.Properties) (holdfast.Properties, error) {
		return marked(props, photos), nil
	})
}

// SetFavorite says whether a file is a favourite of its owner. Errors: those of SetProperties.
func (s *Service) SetFavorite(ctx context.Context, p holdfast.Principal, at Place, favorite bool) (holdfast.Receipt, error) {
	return s.SetProperties(ctx, p, at, nil, func(props holdfast.Properties) (holdfast.Properties, error) {
		return props.With(holdfast.SpaceOwnCloud, holdfast.PropFavorite, holdfast.MarkXML(holdfast.SpaceOwnCloud, holdfast.PropFavorite, favorite)), nil
	})
}

// IsFavorite tells whether a file's properties say that it is a favourite.
func IsFavorite(props holdfast.Properties) bool {
	return props.Get(holdfast.SpaceOwnCloud, holdfast.PropFavorite) != nil && props.Text(holdfast.SpaceOwnCloud, holdfast.PropFavorite) == "1"
}

// FoundPhotos gives an account its folder for photos if it never had one, as accounts have that were made before there were any. A folder that is called so becomes it. Whoever deleted his, or said of one that it is none, is left alone. made tells that something was done. Errors: NotFound, Forbidden (the account is suspended), and those of a commit.
func (s *Service) FoundPhotos(ctx context.Context, account holdfast.ID) (made bool, err error) {
	home, folder, err := s.unfounded(ctx, account)
	if err != nil || home.IsZero() {
		return false, err
	}
	e := s.entry(holdfast.Actor{}, holdfast.OpPut, holdfast.KindCollection, folder.Collection, "", folder.Body, marked(folder.Properties, true))
	if folder.Seq != 0 {
		e.If.Seq = folder.Seq
		return true, s.commitOne(ctx, account, e)
	}
	e.Collection = holdfast.NewID(s.random)
	e.Body = holdfast.CollectionRecord{Parent: home, Name: namePhotos, Type: holdfast.TypeFolder}.Encode()
	e.Properties = marked(holdfast.Properties{{Space: "DAV:", Local: "displayname", XML: labelXML(namePhotos)}}, true)
	err = s.commitOne(ctx, account, e)
	if holdfast.IsKind(err, holdfast.Exists) { // a file is called so
		return false, nil
	}
	return err == nil, err
}

// unfounded returns the home of files of an account that never had a folder for photos, and the record of the folder that could be it; a zero home: the account has, or had, one.
func (s *Service) unfounded(ctx context.Context, account holdfast.ID) (home holdfast.ID, folder holdfast.Resource, err error) {
	snap, err := s.newest(ctx, account)
	if err != nil {
		return home, folder, err
	}
	defer snap.Close()
	a, err := snap.Account(account)
	if err == nil && a.State != holdfast.Active {
		err = fail("FoundPhotos", holdfast.Forbidden, a.Email, "nothing is made in an account that is not active")
	}
	if err != nil {
		return home, folder, err
	}
	all, err := snap.Collections(account)
	if err != nil {
		return home, folder, err
	}
	for i := range all {
		if mark(&all[i]) != "" {
			return holdfast.ID{}, folder, nil
		}
	}
	h, err := snap.Child(account, holdfast.HomeFiles)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return home, folder, nil
	}
	if err != nil {
		return home, folder, err
	}
	c, err := snap.Child(h.ID, namePhotos)
	if err == nil {
		folder, err = snap.Resource(c.ID, "", everything)
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	return h.ID, folder, err
}
