package davclient

import (
	"context"
	"encoding/xml"
	"net/url"
	"path"
	"strconv"
	"strings"

	"holdfast"
)

// Member is a member of a collection, as a listing names it.
type Member struct {
	Href string // as the server spells it
	Name string // last segment of the path, decoded
	ETag string // without its quotes; empty: the server gives none
	Size int64  // what it says of the octets; -1: nothing
}

// listing gathers members, each once.
type listing struct {
	base    *url.URL
	seen    map[string]bool
	members []Member
	cut     bool // the server says that there are more
}

const memberProps = `<D:resourcetype/><D:getetag/><D:getcontentlength/>`

// List lists the members of a collection with their ETags. A server that does not list all at once is asked by sync-collection (RFC 6578), page by page.
//
// Errors: NotFound (the collection is gone), Corrupt (an answer that is cut short: what it held is not taken for the whole), and those of Discover.
func (c *Client) List(ctx context.Context, at *Collection) ([]Member, error) {
	l := &listing{base: at.URL, seen: map[string]bool{}}
	err := c.listOnce(ctx, l, request{method: "PROPFIND", depth: "1", url: at.URL, body: propfind(memberProps)})
	if err == nil && !l.cut {
		return l.members, nil
	}
	if err != nil && (ctx.Err() != nil || !pageable(err)) {
		return nil, err
	}
	members, perr := c.pages(ctx, at)
	if perr != nil {
		if err == nil {
			err = perr
		}
		return nil, err
	}
	return members, nil
}

// pageable tells whether a listing that failed may do in smaller parts.
func pageable(err error) bool {
	switch holdfast.KindOf(err) {
	case holdfast.Invalid, holdfast.Corrupt, holdfast.Forbidden, holdfast.Unavailable:
		return true
	}
	return false
}

func (c *Client) listOnce(ctx context.Context, l *listing, q request) error {
	a, err := c.do(ctx, q)
	if err != nil {
		return err
	}
	defer a.close()
	_, err = multistatus(a, c.o.MaxResource, l.take)
	return err
}

// take notes one response of a listing.
func (l *listing) take(r *response) error {
	u, err := l.base.Parse(r.href)
	if err != nil {
		return nil
	}
	u = here(l.base, u)
	if key(u) == key(l.base) {
		l.cut = l.cut || r.status == 507 // RFC 6578 section 3.6: the rest did not fit
		return nil
	}
	if gone(r.status) || r.is(nsDAV, "collection") || strings.HasSuffix(u.Path, "/") || l.seen[u.EscapedPath()] {
		return nil
	}
	l.seen[u.EscapedPath()] = true // one that failed in the listing is there all the same: it is asked for, and what comes of that is told
	m := Member{Href: r.href, Name: lastOf(u), ETag: tag(r.prop(nsDAV, "getetag").trim()), Size: -1}
	if n, err := strconv.ParseInt(r.prop(nsDAV, "getcontentlength").trim(), 10, 64); err == nil && n >= 0 {
		m.Size = n
	}
	l.members = append(l.members, m)
	return nil
}

// lastOf is the last segment of a path, decoded. It may hold a slash that was encoded.
func lastOf(u *url.URL) string {
	name, err := url.PathUnescape(path.Base(u.EscapedPath()))
	if err != nil {
		return path.Base(u.Path)
	}
	return name
}

// tag takes from an ETag what servers and their proxies spell differently from one answer to the next: weakness, quotes, the name of a compression.
func tag(s string) string {
	s = strings.Trim(strings.TrimPrefix(strings.TrimSpace(s), "W/"), `"`)
	for _, end := range []string{"-gzip", ";gzip", "--gzip", "-br", "-zstd"} {
		s = strings.TrimSuffix(s, end)
	}
	return s
}

// maxPages bounds how often a listing goes on.
const maxPages = 100_000

// pages lists by sync-collection from the beginning.
func (c *Client) pages(ctx context.Context, at *Collection) ([]Member, error) {
	l := &listing{base: at.URL, seen: map[string]bool{}}
	for token, n := "", 0; n < maxPages; n++ {
		l.cut = false
		body := `<?xml version="1.0" encoding="utf-8"?>` + "\n<D:sync-collection" + declared + "><D:sync-token>" + escape(token) + "</D:sync-token><D:sync-level>1</D:sync-level><D:prop>" +
			memberProps + "</D:prop></D:sync-collection>"
		a, err := c.do(ctx, request{method: "REPORT", depth: "0", url: at.URL, body: body})
		if err != nil {
			return nil, err
		}
		next, err := multistatus(a, c.o.MaxResource, l.take)
		a.close()
		if err != nil {
			return nil, err
		}
		if !l.cut {
			return l.members, nil
		}
		if next == "" || next == token {
			break
		}
		token = next
	}
	return nil, fail(holdfast.Corrupt, at.URL.Path, "the server lists a part and does not say how to go on")
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}
