package davclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// Batch is how many members are asked for at once.
const Batch = 100

// Item is a member with its octets.
type Item struct {
	Member // its ETag is that of the octets, where the server says it
	Body   []byte
	Err    error // instead of the octets. NotFound: it is gone since it was listed
}

// Fetcher brings the members of one collection. XML does not keep how lines end, so the first member that is asked for comes in both ways, and what comes by
// a report is trusted only as far as the two agree; the rest is asked for one by one.
type Fetcher struct {
	c        *Client
	at       *Collection
	probed   bool
	single   bool // the report is of no use here
	crlf, lf bool // which ending of lines made the two agree
	// Singly counts the members that were asked for one by one.
	Singly int
}

// Fetcher begins to bring the members of a collection.
func (c *Client) Fetcher(at *Collection) *Fetcher { return &Fetcher{c: c, at: at} }

// Fetch brings up to Batch members and calls fn with each, in the order of members, once each. The error is of what keeps it from going on; what concerns one
// member stands in its Item.
func (f *Fetcher) Fetch(ctx context.Context, members []Member, fn func(*Item) error) error {
	if len(members) > Batch {
		return fail(holdfast.TooLarge, f.at.URL.Path, "too many at once")
	}
	got := map[string]*Item{}
	if !f.single && len(members) > 1 {
		if err := f.multiget(ctx, members, got); err != nil {
			if ctx.Err() != nil || !pageable(err) {
				return err
			}
			f.single = f.single || !holdfast.IsKind(err, holdfast.Unavailable) && len(got) == 0 // what came whole before is good
		}
	}
	for i := range members {
		x, err := f.one(ctx, &members[i], got[nameIn(f.at.URL, members[i].Href)])
		if err != nil {
			return err
		}
		if err := fn(x); err != nil {
			return err
		}
	}
	return nil
}

// nameIn is the name of a member by its href.
func nameIn(base *url.URL, href string) string {
	u, err := base.Parse(href)
	if err != nil {
		return href
	}
	return lastOf(u)
}

// roomOfMany is how many octets of one answer are kept; what is more is asked for one by one.
const roomOfMany = 64 << 20

// multiget asks for many at once (RFC 4791 section 7.9, RFC 6352 section 8.7). What comes is kept by name.
func (f *Fetcher) multiget(ctx context.Context, members []Member, got map[string]*Item) error {
	prefix, report, data := "C", "calendar-multiget", "calendar-data"
	space := nsCalDAV
	if f.at.Kind == Addressbook {
		prefix, report, data, space = "CR", "addressbook-multiget", "address-data", nsCardDAV
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="utf-8"?>`+"\n<%s:%s%s><D:prop><D:getetag/><%s:%s/></D:prop>", prefix, report, declared, prefix, data)
	for _, m := range members {
		b.WriteString("<D:href>" + escape(m.Href) + "</D:href>")
	}
	fmt.Fprintf(&b, "</%s:%s>", prefix, report)
	a, err := f.c.do(ctx, request{method: "REPORT", depth: "1", url: f.at.URL, body: b.String()})
	if err != nil {
		return err
	}
	defer a.close()
	room := roomOfMany
	_, err = multistatus(a, f.c.o.MaxResource, func(r *response) error {
		d := r.prop(space, data)
		if d == nil || d.text == "" || len(got) > len(members) || len(d.text) > room {
			return nil
		}
		room -= len(d.text)
		name := nameIn(f.at.URL, r.href)
		got[name] = &Item{Member: Member{ETag: tag(r.prop(nsDAV, "getetag").trim())}, Body: []byte(d.text)}
		return nil
	})
	return err
}

// one decides what the octets of a member are.
func (f *Fetcher) one(ctx context.Context, m *Member, by *Item) (*Item, error) {
	if by == nil || f.single {
		return f.get(ctx, m)
	}
	if by.ETag == "" {
		by.ETag = m.ETag
	}
	if !f.probed {
		return f.probe(ctx, m, by)
	}
	if bytes.IndexByte(by.Body, '\r') >= 0 { // the server wrote them so that they come through
		by.Href, by.Name, by.Size = m.Href, m.Name, m.Size
		return by, nil
	}
	crlf := int64(len(by.Body) + bytes.Count(by.Body, []byte("\n")))
	sized := m.Size >= 0 && by.ETag == m.ETag
	switch {
	case sized && m.Size == crlf && crlf != int64(len(by.Body)), !sized && f.crlf:
		by.Body = bytes.ReplaceAll(by.Body, []byte("\n"), []byte("\r\n"))
	case sized && m.Size == int64(len(by.Body)), !sized && f.lf:
	default:
		return f.get(ctx, m)
	}
	by.Href, by.Name, by.Size = m.Href, m.Name, m.Size
	return by, nil
}

// probe compares the two ways that a member comes.
func (f *Fetcher) probe(ctx context.Context, m *Member, by *Item) (*Item, error) {
	x, err := f.get(ctx, m)
	if err != nil || x.Err != nil {
		return x, err
	}
	f.probed = true
	switch {
	case bytes.Equal(x.Body, by.Body):
		f.lf = true
	case bytes.Equal(x.Body, bytes.ReplaceAll(by.Body, []byte("\n"), []byte("\r\n"))):
		f.crlf = true
	case x.ETag == by.ETag: // the same version, and other octets
		f.single = true
	default: // it changed between
		f.probed = false
	}
	return x, nil
}

// get asks for one member, again where its octets do not come through.
func (f *Fetcher) get(ctx context.Context, m *Member) (*Item, error) {
	f.Singly++
	for try := 0; ; try++ {
		x, err := f.getOnce(ctx, m)
		if err == nil || ctx.Err() != nil || !holdfast.IsKind(err, holdfast.Unavailable) || try >= f.c.o.Retries {
			return x, err
		}
		if err := clock.Sleep(ctx, f.c.o.Clock, min(time.Second<<min(try, 10), f.c.o.MaxWait)); err != nil {
			return x, err
		}
	}
}

func (f *Fetcher) getOnce(ctx context.Context, m *Member) (*Item, error) {
	out := &Item{Member: *m}
	u, err := f.at.URL.Parse(m.Href)
	if err != nil {
		out.Err = fail(holdfast.Invalid, m.Href, "the server lists a URL that cannot be read")
		return out, nil
	}
	a, err := f.c.do(ctx, request{method: "GET", url: here(f.at.URL, u)})
	if err != nil {
		return out, err
	}
	defer a.close()
	if a.status != 200 {
		out.Err = statusError(a)
		return out, nil
	}
	out.Body, err = io.ReadAll(io.LimitReader(a.body, f.c.o.MaxResource+1))
	if err != nil {
		return out, err
	}
	if int64(len(out.Body)) > f.c.o.MaxResource {
		out.Body = nil
		out.Err = &holdfast.Error{Op: "davclient", Kind: holdfast.TooLarge, Ref: m.Name, Rule: "max-resource-size", Text: fmt.Sprintf("it is larger than %d octets", f.c.o.MaxResource)}
	}
	if t := tag(a.header.Get("ETag")); t != "" {
		out.ETag = t
	}
	return out, nil
}
