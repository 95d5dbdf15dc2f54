package control

import (
	"net/http"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// Share is a right that an account gives another in one of its collections.
type Share struct {
	Owner      string         `json:"owner"` // its name
	Path       string         `json:"path"`  // in the owner's tree; empty where the collection was deleted
	Collection holdfast.ID    `json:"collection"`
	With       string         `json:"with"` // the guest's name
	Rights     holdfast.Right `json:"rights"`
	Created    time.Time      `json:"created"`
	Active     bool           `json:"active"`       // it hangs in the guest's home
	At         string         `json:"at,omitempty"` // where, in the guest's tree
}

// NewShare is what Share takes. Path may be the id of the collection too.
type NewShare struct {
	Path   string         `json:"path"`
	With   string         `json:"with"`
	Rights holdfast.Right `json:"rights,omitempty"`
}

func showShare(x core.Share) Share {
	return Share{Owner: x.Owner.Email, Path: x.Path, Collection: x.Collection, With: x.With.Email, Rights: x.Rights, Created: x.Created.UTC(), Active: x.Active, At: x.At}
}

// parties finds the two accounts and the collection of a share.
func (h *handler) parties(r *http.Request, path, with string) (owner, guest holdfast.Account, c holdfast.ID, err error) {
	if owner, err = h.Core.Account(r.Context(), r.PathValue("ref")); err != nil {
		return owner, guest, c, err
	}
	if guest, err = h.Core.Account(r.Context(), with); err != nil {
		return owner, guest, c, err
	}
	if c, err = holdfast.ParseID(path); err == nil {
		return owner, guest, c, nil
	}
	names := strings.Split(strings.Trim(path, "/"), "/")
	err = h.Core.Inspect(r.Context(), owner.ID, func(x *core.Reader) error {
		at, err := x.Locate(names)
		if err == nil && len(at.Rest) > 0 {
			err = fail(holdfast.NotFound, path, "%s has no collection %q; `holdfast account show %s` lists what there is", owner.Email, path, owner.Email)
		}
		c = at.Collection.ID
		return err
	})
	return owner, guest, c, err
}

func (h *handler) share(r *http.Request) (any, error) {
	var q NewShare
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	owner, guest, c, err := h.parties(r, q.Path, q.With)
	if err != nil {
		return nil, err
	}
	if owner.ID == guest.ID {
		return nil, fail(holdfast.Invalid, owner.Email, "an account cannot share with itself, and %s needs no share", owner.Email)
	}
	if err := h.Core.Share(r.Context(), holdfast.Actor{}, owner.ID, c, guest.ID, q.Rights); err != nil {
		return nil, err
	}
	h.Log.Info("a collection was shared", "owner", owner.Email, "collection", c, "with", guest.Email, "rights", q.Rights)
	list, err := h.Core.Shares(r.Context(), owner.ID)
	for _, x := range list {
		if x.Collection == c && x.Guest == guest.ID {
			return showShare(x), nil
		}
	}
	if err == nil {
		err = fail(holdfast.NotFound, q.Path, "the share was ended by somebody else in this moment")
	}
	return nil, err
}

func (h *handler) unshare(r *http.Request) (any, error) {
	path, with := r.URL.Query().Get("path"), r.URL.Query().Get("with")
	owner, guest, c, err := h.parties(r, path, with)
	if err != nil {
		return nil, err
	}
	err = h.Core.Unshare(r.Context(), holdfast.Actor{}, owner.ID, c, guest.ID)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil, fail(holdfast.NotFound, path, "%s shares no %s with %s; `holdfast share list %s` shows what there is", owner.Email, path, guest.Email, owner.Email)
	}
	if err != nil {
		return nil, err
	}
	h.Log.Info("a share was ended", "owner", owner.Email, "collection", c, "with", guest.Email)
	return Share{Owner: owner.Email, Path: path, Collection: c, With: guest.Email}, nil
}

// shares lists what is shared by and with one account, or by and with all.
func (h *handler) shares(r *http.Request) (any, error) {
	var of holdfast.ID
	if ref := r.URL.Query().Get("account"); ref != "" {
		a, err := h.Core.Account(r.Context(), ref)
		if err != nil {
			return nil, err
		}
		of = a.ID
	}
	list, err := h.Core.Shares(r.Context(), of)
	if err != nil {
		return nil, err
	}
	out := []Share{}
	for _, x := range list {
		out = append(out, showShare(x))
	}
	return out, nil
}

// sharedWith lists what hangs in an account's homes of others.
func sharedWith(x *core.Reader) ([]Share, error) {
	out := []Share{}
	cs, err := x.Bound()
	for i := range cs {
		owner, err := x.OwnerOf(&cs[i])
		if err != nil {
			return nil, err
		}
		s := x.ShareOf(&cs[i])
		out = append(out, Share{Owner: owner.Email, Path: x.PathOf(s.Collection), Collection: s.Collection, With: x.Owner().Email, Rights: s.Rights, Created: s.Created.UTC(), Active: true,
			At: x.PathOf(cs[i].Parent) + "/" + cs[i].Name})
	}
	return out, err
}
