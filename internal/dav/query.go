package dav

import (
	"context"
	"net/http"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// Query is a PROPFIND or REPORT under way, inside one snapshot: what properties and reports may look at, and where they answer. It lives for one
// request and is used by one goroutine. Nothing is written to the network while it lives; its answers are spooled.
type Query struct {
	Context   context.Context
	Reader    *core.Reader       // of the account that the URL names; above accounts, of the one who asks
	Principal holdfast.Principal // who asks
	Header    http.Header        // of the request
	Depth     davxml.Depth       // for a REPORT without the header: 0 (RFC 3253 section 3.6)
	Prefer    davxml.Prefer
	Limits    davxml.Limits
	Target    *Target         // what the request's URL names
	Body      *davxml.Element // the root of the request's body; nil for an empty PROPFIND

	// Data is the report's own: what Serve keeps here, its properties find.
	Data any

	req    *request
	h      *Handler
	m      *davxml.Multistatus
	err    error
	until  time.Time // when the snapshot must be let go
	count  int
	slot   Target
	usages map[holdfast.ID]core.Usage // by what they are of
}

// SnapshotTime is how long a query may keep its snapshot, see core.Service.Read. An answer that takes longer is given up with 503: a part of it is never sent.
const SnapshotTime = 5 * time.Second

// Ask is a set of properties made ready to be answered for many targets.
type Ask struct {
	q      *Query
	set    davxml.PropSet
	report bool
	plans  []*plan
	absent []step
}

// Ask makes a set of properties ready. A set of mode NoProps asks for none.
func (q *Query) Ask(set davxml.PropSet) *Ask {
	return &Ask{q: q, set: set, report: q.Body != nil && q.Body.Name != davxml.DPropFind}
}

// Needs says what reads must carry, so that the set can be answered for members of a collection of type ct: give it to Reader.List and Reader.Resource.
func (a *Ask) Needs(ct holdfast.CollectionType) core.Fields {
	return a.plan(kindOfPlace{where: AtMember, ct: ct}).needs
}

// Member returns the target for a member of the collection that the request's URL names. It is valid until the next call. r is kept as it is.
func (q *Query) Member(r *holdfast.Resource) *Target { return q.memberOf(q.Target, r) }

func (q *Query) memberOf(t *Target, r *holdfast.Resource) *Target {
	q.slot = Target{Where: AtMember, Href: t.Href + encodeSegment(r.Name), Account: t.Account, Collection: t.Collection, Resource: r}
	return &q.slot
}

// Name tells which member of the collection that the request's URL names a href of the request's body means: a URI or a path, in any of its forms. Of a URI the path
// alone counts: what host a client sees is the business of the proxies before us. ok is false where it means none, whatever else it means; the member may or
// may not exist. An error is a fault: the request must fail as a whole.
func (q *Query) Name(href string) (name string, ok bool, err error) {
	if err := q.alive(); err != nil {
		return "", false, err
	}
	at, err := q.refer(href)
	if err != nil && !nowhere(err) {
		return "", false, err
	}
	if err != nil || at.where != AtMember || at.path.Slash || q.Target.Collection == nil || at.loc.Collection.ID != q.Target.Collection.ID {
		return "", false, nil
	}
	return at.loc.Rest[0], true, nil
}

// Status answers for one href with a status of its own, such as 404 for a href of a multiget. href is written as it is: give back what the client sent.
func (q *Query) Status(href string, status int, conds ...davxml.Condition) {
	q.m.Status(href, status, conds...)
}

// SyncToken ends the answer with a sync token.
func (q *Query) SyncToken(token string) { q.m.SyncToken(token) }

// Fail makes the whole request fail with err, from where no error can be returned. The first one counts.
func (q *Query) Fail(err error) {
	if q.err == nil && err != nil {
		q.err = err
		if q.m != nil {
			q.m.Fail(err)
		}
	}
}

// broken gives the error for which the answer cannot be completed any more.
func (q *Query) broken() error {
	if q.err != nil {
		return q.err
	}
	return q.m.Err()
}

// alive gives an error once the request was given up or its snapshot is too old.
func (q *Query) alive() error {
	if q.count++; q.count%64 != 0 {
		return nil
	}
	return q.Overdue()
}

// Overdue gives an error once nobody waits for the answer, or the snapshot is too old. The ground looks whenever something is answered; who looks at much and answers little asks now
// and then.
func (q *Query) Overdue() error {
	if q.Context.Err() != nil {
		return context.Cause(q.Context)
	}
	if q.h.o.Clock.Now().After(q.until) {
		return &holdfast.Error{Op: "dav.Query", Kind: holdfast.Unavailable, Ref: q.Target.Href, Text: "the answer took too long to make; ask for less at once"}
	}
	return nil
}

// Respond answers for one target. It returns an error where the request must fail as a whole, which Serve passes on.
func (a *Ask) Respond(t *Target) error {
	q := a.q
	if err := q.alive(); err != nil {
		return err
	}
	q.m.Response(t.Href)
	a.write(t, a.plan(placeOf(t)), propstats{q.m})
	return q.broken()
}

// statWriter is where the groups of properties of one response go: a multistatus, or an element inside of one.
type statWriter interface {
	group(status int) *davxml.Writer
	end()
}

type propstats struct{ m *davxml.Multistatus }

func (p propstats) group(status int) *davxml.Writer {
	p.m.Propstat(status)
	return &p.m.Writer
}
func (p propstats) end() {}

// write writes the properties of one target: those that it has, then (unless the client does not care) those that it lacks.
func (a *Ask) write(t *Target, p *plan, out statWriter) {
	a.absent = a.absent[:0]
	var w *davxml.Writer
	open := func() *davxml.Writer {
		if w == nil {
			w = out.group(http.StatusOK)
		}
		return w
	}
	namesOnly := a.set.Mode == davxml.PropNames
	for _, s := range p.steps {
		a.writeStep(t, s, namesOnly, p.all, open)
	}
	if p.all {
		a.writeDead(t, p, namesOnly, open)
	}
	if w != nil {
		out.end()
	}
	if len(a.absent) == 0 || a.q.Prefer.Minimal {
		return
	}
	w = out.group(http.StatusNotFound)
	for _, s := range a.absent {
		w.Empty(s.name)
	}
	out.end()
}

func (a *Ask) writeStep(t *Target, s step, namesOnly, all bool, open func() *davxml.Writer) {
	if s.prop != nil && a.q.has(s.prop, t) {
		if w := open(); namesOnly {
			w.Empty(s.name)
		} else {
			s.prop.Write(w, a.q, t, s.ask)
		}
		return
	}
	if all {
		return // it is among the dead ones, or nowhere
	}
	if xml := t.Dead().Get(s.name.Space, s.name.Local); xml != nil {
		open().Raw(xml)
		return
	}
	a.absent = append(a.absent, s)
}

// writeDead writes the dead properties that no live one of the plan stands for.
func (a *Ask) writeDead(t *Target, p *plan, namesOnly bool, open func() *davxml.Writer) {
	table := a.q.h.tableFor(p.kind)
	for _, d := range t.Dead() {
		name := davxml.Name{Space: d.Space, Local: d.Local}
		if x := table.props[name]; x != nil && a.q.has(x, t) {
			continue
		}
		if namesOnly {
			open().Empty(name)
		} else {
			open().Raw(d.XML)
		}
	}
}
