package dav

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// request is one request on its way.
type request struct {
	h *Handler
	w http.ResponseWriter
	r *http.Request
	p holdfast.Principal
	place
	dest   *place     // of COPY and MOVE
	verb   string     // what the request does to its place: its method, but for the MOVE that ends an upload, which is a PUT
	posted bool       // the path is the collection in which a member is made
	maker  *Extension // of the collection that a MKCOL makes
	held   int64      // octets of the body that count in Handler.bodies
	opened bool       // somebody began to read the body
	sent   []byte     // the body, where it was read whole
}

// place is a path that was looked up.
type place struct {
	path  Path
	where Where         // 0: below a collection that is not there
	owner holdfast.ID   // whose tree or principal it is; zero above accounts. What is in the tree may be another's, see loc
	loc   core.Location // InTree
}

// locate looks the request's path up.
func (q *request) locate() (err error) {
	q.place, err = q.lookup(nil, q.path)
	return err
}

// lookup finds out what a path leads to, as far as collections go. Inside of a read r is its reader: whoever holds a snapshot must not wait for another one, and what
// is in another account is not there. Outside r is nil.
func (q *request) lookup(r *core.Reader, path Path) (place, error) {
	at := place{path: path}
	switch {
	case path.Area == "":
		at.where = AtRoot
		return at, nil
	case path.Area == areaUploads:
		return at, Refuse(http.StatusForbidden, davxml.Name{}, "this is a place where files arrive; nothing else is done there")
	case path.User == "" && path.form != formWeb:
		at.where = AtHomes
		if path.Area == areaPrincipals {
			at.where = AtPrincipals
		}
		return at, nil
	}
	var err error
	if path.Area == areaPrincipals {
		at.where = AtPrincipal
		at.owner, err = q.resolvePrincipal(r, path.User)
		return at, err
	}
	if at.owner, err = q.resolve(r, path.User); err != nil {
		return at, err
	}
	names := slices.Concat([]string{path.Area}, path.Names)
	if r != nil {
		at.loc, err = r.Locate(names)
	} else {
		at.loc, err = q.h.o.Core.Locate(q.r.Context(), q.p, at.owner, names)
	}
	if err != nil {
		return at, err
	}
	if at.loc.Collection.Type == holdfast.TypeRoot {
		return at, &holdfast.Error{Op: "dav.lookup", Kind: holdfast.Corrupt, Ref: path.Area, Text: "a home of this account is missing"}
	}
	at.where = whereOf(at.loc, path)
	return at, nil
}

// resolve finds the account that a segment of a path names; "" names the one who asks.
func (q *request) resolve(r *core.Reader, user string) (owner holdfast.ID, err error) {
	switch {
	case user == "":
		owner = q.p.Account
	case r != nil:
		owner, err = r.Resolve(user)
	default:
		owner, err = q.h.o.Core.Resolve(q.r.Context(), q.p, user)
	}
	if err == nil && r != nil && owner != r.Owner().ID {
		err = q.nothing()
	}
	return owner, err
}

// resolvePrincipal finds the account whose principal a segment of a path names: one's own, or that of somebody with whom one shares something.
func (q *request) resolvePrincipal(r *core.Reader, user string) (holdfast.ID, error) {
	if r != nil {
		return r.ResolvePrincipal(user)
	}
	return q.h.o.Core.ResolvePrincipal(q.r.Context(), q.p, user)
}

// nowhere tells whether a lookup failed because the path leads nowhere for who asks. Any other error is a fault, or of the moment, and must never be told as
// a 404 for one of many hrefs: a phone deletes what it is told is gone.
func nowhere(err error) bool {
	var r *Refusal
	return holdfast.IsKind(err, holdfast.NotFound) || holdfast.IsKind(err, holdfast.Forbidden) || errors.As(err, &r)
}

// exists refuses a place below collections that are not there.
func (q *request) exists() error {
	if q.where == 0 || q.where == AtMember && q.path.Slash {
		return q.nothing()
	}
	return nil
}

func (q *request) nothing() error {
	return &holdfast.Error{Op: "dav." + q.r.Method, Kind: holdfast.NotFound, Ref: q.path.Href()}
}

// extension is the one that knows the collection of the request, of its destination, or that it makes; nil for none.
func (q *request) extension() *Extension {
	if q.maker != nil {
		return q.maker
	}
	at := &q.place
	if q.dest != nil {
		at = q.dest
	}
	return q.h.extensionFor(at.loc.Collection.Type, at.path.Area)
}

func (h *Handler) extensionFor(ct holdfast.CollectionType, home string) *Extension {
	for i := range h.o.Extensions {
		if x := &h.o.Extensions[i]; ct != "" && ct == x.Type || ct == holdfast.TypeHome && x.Home != "" && home == x.Home {
			return x
		}
	}
	return nil
}

// read opens one moment of the account of who asks, and of what is shared with it: nobody gets into another's tree.
func (q *request) read(fn func(*core.Reader) error) error {
	return q.h.o.Core.Read(q.r.Context(), q.p, q.p.Account, fn)
}

// ours tells whether a host is this server: the one that the request was sent to, the one that the client sees, or one that the options name.
func (q *request) ours(host string) bool {
	same := func(a, b string) bool { return strings.EqualFold(bareHost(a), bareHost(b)) }
	if h := q.h.o.Host; h != nil {
		if name := h(q.r); name != "" && same(host, name) {
			return true
		}
	}
	return same(host, q.r.Host) || slices.ContainsFunc(q.h.o.Hosts, func(h string) bool { return same(host, h) })
}

// bareHost leaves out the ports that need not be said. Behind a proxy that ends TLS the scheme tells nothing.
func bareHost(h string) string {
	h = strings.TrimSuffix(h, ".")
	if s, ok := strings.CutSuffix(h, ":443"); ok {
		return s
	}
	return strings.TrimSuffix(h, ":80")
}

// receipt tells a client what was promised.
func (q *request) receipt(r holdfast.Receipt) { q.w.Header().Set("Holdfast-Receipt", r.String()) }

// done ends an answer without a body.
func (q *request) done(status int) error {
	if status != http.StatusNoContent {
		q.w.Header().Set("Content-Length", "0")
	}
	q.w.WriteHeader(status)
	return nil
}

func madeOr(made bool) int {
	if made {
		return http.StatusCreated
	}
	return http.StatusNoContent
}

// depth reads the Depth header.
func (q *request) depth(unsaid davxml.Depth) (davxml.Depth, error) {
	return davxml.ParseDepth(q.r.Header.Get("Depth"), unsaid)
}

// prefer reads Prefer, and Brief, which says return=minimal in older words.
func (q *request) prefer() davxml.Prefer {
	p := davxml.ParsePrefer(q.r.Header.Values("Prefer"))
	if !p.Representation && strings.EqualFold(q.r.Header.Get("Brief"), "t") {
		p.Minimal = true
	}
	return p
}
