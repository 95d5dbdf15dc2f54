package control

import (
	"context"
	"net/http"

	"holdfast"
	"holdfast/internal/library"
)

// Photos is the library of a running service. A [library.Library] is one.
type Photos interface {
	Status(context.Context) (library.Status, error)
	Months(context.Context, holdfast.Principal, holdfast.ID) (library.Timeline, error)
	Photos(context.Context, holdfast.Principal, holdfast.ID, library.Query) (library.Page, error)
	Albums(context.Context, holdfast.Principal, holdfast.ID) ([]library.Album, error)
	Safety(context.Context, holdfast.Principal, holdfast.ID, library.Query) (library.Safety, error)
}

// Albums are an account's albums.
type Albums struct {
	Albums []library.Album `json:"albums"`
}

// PhotoMonths counts an account's photos by month.
func (c *Client) PhotoMonths(ctx context.Context, account string) (t library.Timeline, err error) {
	return t, c.call(ctx, "POST", of(account, "/photos/months"), library.Query{}, &t)
}

// Photos returns a page of an account's photos, newest first.
func (c *Client) Photos(ctx context.Context, account string, q library.Query) (p library.Page, err error) {
	return p, c.call(ctx, "POST", of(account, "/photos/list"), q, &p)
}

// Albums returns an account's albums.
func (c *Client) Albums(ctx context.Context, account string) (a Albums, err error) {
	return a, c.call(ctx, "POST", of(account, "/photos/albums"), library.Query{}, &a)
}

// PhotoSafety says which of an account's photos may be removed from a device.
func (c *Client) PhotoSafety(ctx context.Context, account string, q library.Query) (s library.Safety, err error) {
	return s, c.call(ctx, "POST", of(account, "/photos/safe"), q, &s)
}

// photos answers a question about an account's photos.
func (h *handler) photos(r *http.Request) (any, error) {
	if h.Photos == nil {
		return nil, fail(holdfast.Unavailable, "", "photos are shown by a service that runs; start it: holdfast serve")
	}
	a, err := h.Core.Account(r.Context(), r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	var q library.Query
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	ctx, p := r.Context(), holdfast.Principal{Account: a.ID}
	switch r.PathValue("what") {
	case "months":
		return h.Photos.Months(ctx, p, a.ID)
	case "list":
		return h.Photos.Photos(ctx, p, a.ID, q)
	case "albums":
		list, err := h.Photos.Albums(ctx, p, a.ID)
		return Albums{list}, err
	case "safe":
		return h.Photos.Safety(ctx, p, a.ID, q)
	}
	return nil, fail(holdfast.NotFound, r.PathValue("what"), "nothing of that name is known of photos")
}
