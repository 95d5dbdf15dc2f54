package davclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"holdfast"
)

// Found is what a server has for a person.
type Found struct {
	Principals  []string // paths of who we are there
	Collections []Collection
	Left        []Left
}

// places are the points that discovery walks through; each is asked once.
type places struct {
	c          *Client
	asked      map[string]bool
	principals []*url.URL
	homes      []*url.URL
	found      map[string]bool
	out        Found
	refused    error // the first host that the password may not go to
}

const homeProps = `<D:resourcetype/><D:current-user-principal/><D:principal-URL/><C:calendar-home-set/><CR:addressbook-home-set/>`

// Discover finds the address books and calendars of the user: those of the homes that the principal names, which is asked for at the URL itself and at
// /.well-known/caldav and carddav (RFC 6764). A URL of a single collection means that one alone.
//
// Errors: Unauthorized, Forbidden (a host that the password may not go to), NotFound (nothing is there), Invalid, Unavailable.
func (c *Client) Discover(ctx context.Context) (*Found, error) {
	p := &places{c: c, asked: map[string]bool{}, found: map[string]bool{}}
	single, err := p.look(ctx, c.start, true)
	if err != nil && !goesOn(err) {
		return nil, err
	}
	if single {
		return &p.out, nil
	}
	if err := p.wellKnown(ctx); err != nil {
		return nil, err
	}
	if len(p.homes) == 0 { // a server without principals: the URL may be the home
		lerr := p.list(ctx, c.start)
		if lerr != nil && p.refused == nil && holdfast.IsKind(cmp.Or(err, lerr), holdfast.NotFound) {
			return nil, nothing(c.start, cmp.Or(err, lerr))
		}
		if lerr != nil {
			return nil, cmp.Or(p.refused, err, lerr)
		}
	}
	for _, h := range p.homes {
		if err := p.list(ctx, h); err != nil && !p.elsewhere(err) {
			return nil, err
		}
	}
	if p.refused != nil {
		return nil, p.refused
	}
	if len(p.out.Collections) == 0 && len(p.out.Left) == 0 && len(p.homes) == 0 {
		return nil, cmp.Or(err, nothing(c.start, nil))
	}
	p.shared()
	slices.SortStableFunc(p.out.Collections, func(a, b Collection) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.URL.Path, b.URL.Path))
	})
	return &p.out, nil
}

// nothing says that nothing is there to take, and what was answered, if that is known.
func nothing(at *url.URL, err error) error {
	return &holdfast.Error{Op: "davclient", Kind: holdfast.NotFound, Ref: at.Path, Err: err,
		Text: "no address book and no calendar was found from this URL; give the one that phones are set up with"}
}

// goesOn tells whether discovery may go on elsewhere after an error.
func goesOn(err error) bool {
	switch holdfast.KindOf(err) {
	case holdfast.NotFound, holdfast.Invalid, holdfast.Corrupt:
		return true
	case holdfast.Forbidden:
		e, ok := errors.AsType[*holdfast.Error](err)
		return ok && e.Rule != untrusted
	}
	return false
}

// elsewhere notes a host that the password may not go to.
func (p *places) elsewhere(err error) bool {
	if e, ok := errors.AsType[*holdfast.Error](err); !ok || e.Rule != untrusted {
		return false
	}
	p.refused = cmp.Or(p.refused, err)
	return true
}

// wellKnown asks the places that RFC 6764 section 5 names, where the URL did not lead to both homes. What is not there is no error.
func (p *places) wellKnown(ctx context.Context) error {
	for _, at := range []struct{ service, home string }{{"caldav", "calendar-home-set"}, {"carddav", "addressbook-home-set"}} {
		if p.found[at.home] {
			continue
		}
		u := *p.c.start
		u.Path, u.RawPath = "/.well-known/"+at.service, ""
		_, err := p.look(ctx, &u, false)
		switch {
		case err == nil, goesOn(err), p.elsewhere(err):
		case len(p.homes) == 0 || ctx.Err() != nil:
			return err
		default: // half of it is known; the other half is not passed over in silence
			p.out.Left = append(p.out.Left, Left{Name: at.service, Path: u.Path, Why: "it could not be asked for more: " + text(err)})
		}
	}
	return nil
}

func text(err error) string {
	if e, ok := errors.AsType[*holdfast.Error](err); ok && e.Text != "" {
		return e.Text
	}
	return err.Error()
}

// look asks one place who we are and where our homes are, and goes to the principal from there. single tells that the place is itself a collection to take.
// That is asked of the first place alone: behind it stand principals.
func (p *places) look(ctx context.Context, u *url.URL, first bool) (single bool, err error) {
	if p.asked[key(u)] || len(p.asked) > 20 {
		return false, nil
	}
	p.asked[key(u)] = true
	a, err := p.c.do(ctx, request{method: "PROPFIND", depth: "0", url: u, body: propfind(homeProps + wanted)})
	if err != nil {
		return false, err
	}
	defer a.close()
	p.asked[key(a.url)] = true
	var next []*url.URL
	_, err = multistatus(a, p.c.o.MaxResource, func(r *response) error {
		if c, _ := collectionOf(a.url, r); c != nil && first {
			single = true
			p.out.Collections = append(p.out.Collections, *c)
			return nil
		}
		for _, home := range []*node{r.prop(nsCalDAV, "calendar-home-set"), r.prop(nsCardDAV, "addressbook-home-set")} {
			p.home(a.url, home)
		}
		if r.is(nsDAV, "principal") {
			p.isPrincipal(a.url)
		}
		for _, name := range []string{"current-user-principal", "principal-URL"} {
			if to := r.prop(nsDAV, name).href(); to != "" {
				if u, err := a.url.Parse(to); err == nil {
					next = append(next, sameHost(a.url, u))
				}
			}
		}
		return nil
	})
	if err != nil || single {
		return single, err
	}
	for _, u := range next {
		p.isPrincipal(u)
		if _, err := p.look(ctx, u, false); err != nil && !goesOn(err) && !p.elsewhere(err) {
			return false, err
		}
	}
	return false, nil
}

func (p *places) isPrincipal(u *url.URL) {
	if !slices.ContainsFunc(p.principals, func(o *url.URL) bool { return key(o) == key(u) }) {
		p.principals = append(p.principals, u)
		p.out.Principals = append(p.out.Principals, u.Path)
	}
}

// home notes the homes that a property names.
func (p *places) home(base *url.URL, set *node) {
	if set == nil {
		return
	}
	for _, c := range set.children {
		if c.name.Space != nsDAV || c.name.Local != "href" || c.trim() == "" {
			continue
		}
		u, err := base.Parse(c.trim())
		if err != nil {
			continue
		}
		u = sameHost(base, u)
		p.found[set.name.Local] = true
		if !slices.ContainsFunc(p.homes, func(o *url.URL) bool { return key(o) == key(u) }) && len(p.homes) < 20 {
			p.homes = append(p.homes, u)
		}
	}
}

// list finds the collections in a home.
func (p *places) list(ctx context.Context, home *url.URL) error {
	a, err := p.c.do(ctx, request{method: "PROPFIND", depth: "1", url: home, body: propfind(wanted)})
	if err != nil {
		return err
	}
	defer a.close()
	_, err = multistatus(a, p.c.o.MaxResource, func(r *response) error {
		u, err := a.url.Parse(r.href)
		if err != nil || gone(r.status) {
			return nil
		}
		u = here(a.url, u)
		c, why := collectionOf(u, r)
		fault := false
		if c == nil && why == "" && key(u) != key(a.url) {
			why, fault = untold(r)
		}
		switch {
		case c == nil && why == "", p.asked["collection "+key(u)]:
			return nil
		case c == nil:
			p.out.Left = append(p.out.Left, Left{Name: path.Base(strings.TrimRight(u.Path, "/")), Path: u.Path, Why: why, Fault: fault})
		case len(p.out.Collections) >= maxCollections:
			return fail(holdfast.TooLarge, home.Path, "the server has more collections than an account may have")
		default:
			p.out.Collections = append(p.out.Collections, *c)
		}
		p.asked["collection "+key(u)] = true
		return nil
	})
	return err
}

const maxCollections = 5000

// gone tells whether a response is about what is not there any more. Any other failure is of something that is.
func gone(status int) bool { return status == 404 || status == 410 }

// untold tells why nobody can know what a response in a home is about; empty where that is known. fault is false where it is not for this user to know.
func untold(r *response) (why string, fault bool) {
	switch {
	case r.status != 0 && r.status/100 != 2:
		return fmt.Sprintf("the server answers %d for it, and does not say what it is", r.status), r.status != 401 && r.status != 403
	case r.prop(nsDAV, "resourcetype") == nil:
		return "the server does not say what it is", true
	}
	return "", false
}

// shared marks what belongs to somebody else. Where all of it seems to, the server means something else by DAV:owner, and it is not believed.
func (p *places) shared() {
	if len(p.principals) == 0 {
		return
	}
	foreign := 0
	isForeign := make([]bool, len(p.out.Collections))
	for i := range p.out.Collections {
		c := &p.out.Collections[i]
		if c.Owner == "" {
			continue
		}
		u, err := c.URL.Parse(c.Owner)
		if err != nil {
			continue
		}
		if !slices.ContainsFunc(p.principals, func(o *url.URL) bool { return trimmed(o) == trimmed(u) }) {
			isForeign[i] = true
			foreign++
		}
	}
	for i := range p.out.Collections {
		if isForeign[i] && foreign < len(p.out.Collections) {
			p.out.Collections[i].Shared = true
		}
	}
}

func trimmed(u *url.URL) string { return strings.TrimRight(u.Path, "/") }

// key is one spelling for all that a URL can have.
func key(u *url.URL) string { return u.Scheme + "://" + hostPort(u) + trimmed(u) }

// here takes a member's URL to the server that was asked: what stands in a listing is on the server that lists it, whatever it calls itself behind a proxy.
func here(base, u *url.URL) *url.URL {
	out := *base
	out.Path, out.RawPath, out.RawQuery, out.Fragment = u.Path, u.RawPath, "", ""
	return &out
}
