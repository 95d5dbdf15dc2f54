package dav

import (
	"net/http"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// groundReports are the reports that need nothing but WebDAV.
func groundReports() []Report {
	return []Report{
		{Name: davxml.DSyncCollection, Where: AtHome | AtCollection, Serve: serveSync},
		{Name: davxml.DExpandProperty, Where: Everywhere, Serve: serveExpand},
		{Name: davxml.DPrincipalMatch, Where: Everywhere &^ AtMember, Serve: servePrincipalMatch},
		{Name: davxml.DPrincipalPropertySearch, Where: Everywhere &^ AtMember, Serve: servePrincipalSearch},
		{Name: davxml.DPrincipalSearchPropertySet, Where: Everywhere &^ AtMember}, // not a multistatus: answered in request.report
		{Name: davxml.DACLPrincipalPropSet, Where: Everywhere, Serve: serveACLPrincipals},
	}
}

// report answers RFC 3253 section 3.6: the report that the root of the body names.
func (q *request) report() error {
	depth, err := q.depth(davxml.DepthZero)
	if err != nil {
		return err
	}
	root, err := q.xmlBody()
	if err != nil {
		return err
	}
	if root == nil {
		return Refuse(http.StatusBadRequest, davxml.Name{}, "a REPORT says in its body which report it is")
	}
	var sync *davxml.Element // no other body is held while its answer is sent
	if root.Name == davxml.DSyncCollection {
		sync = root
	}
	err = q.reportOn(depth, root)
	if sync != nil && nowhere(err) {
		if lost := q.lostToken(sync); lost != nil {
			return lost
		}
	}
	return err
}

// lostToken judges the token of a sync-collection that is asked where there is none: a device that was given a token of a collection must not hear 404 for it from a
// store that lost it, or it deletes what it holds. It returns nil where the collection is truly gone, or the token says nothing.
func (q *request) lostToken(root *davxml.Element) error {
	sc, err := davxml.ParseSyncCollection(root, q.h.o.Limits)
	if err != nil || sc.Token == "" {
		return nil
	}
	err = q.read(func(r *core.Reader) error { return r.CheckToken(sc.Token) })
	if nowhere(err) || holdfast.IsKind(err, holdfast.BadToken) {
		return nil
	}
	return err
}

func (q *request) reportOn(depth davxml.Depth, root *davxml.Element) error {
	if err := q.exists(); err != nil {
		return err
	}
	k := kindOfPlace{where: q.where}
	switch q.where {
	case AtHome:
		k.home = q.path.Area
	case AtCollection, AtMember:
		k.ct = q.loc.Collection.Type
	}
	rep := q.h.tableFor(k).reports[root.Name]
	switch {
	case rep == nil:
		return Refuse(http.StatusForbidden, dSupportedReport, "the report "+short(root.Name.String())+" is not known for this resource")
	case rep.Plain != nil:
		return q.plainly(depth, root, rep.Plain)
	case rep.Serve == nil:
		return q.searchProperties(root)
	}
	return q.multistatus(depth, root, rep.Serve)
}

// Names that davxml does not list.
var (
	dSupportedReport = davxml.DSupportedReport
	dGrantOnly       = davxml.Name{Space: davxml.NSDAV, Local: "grant-only"}
	dNoInvert        = davxml.Name{Space: davxml.NSDAV, Local: "no-invert"}
)

// serveSync answers RFC 6578. The levels 1 and infinite are the same, but for folders, which hold others: of those it tells with level 1 alone.
func serveSync(q *Query) error {
	t := q.Target
	if !syncs(q, t) {
		return Refuse(http.StatusForbidden, dSupportedReport, "this collection cannot be synchronised by sync-collection")
	}
	sc, err := davxml.ParseSyncCollection(q.Body, q.Limits)
	if err != nil {
		return err
	}
	if sc.Level == davxml.LevelUnsaid && q.Depth == davxml.DepthZero {
		return q.Body.Errorf("DAV:sync-collection holds no DAV:sync-level")
	}
	ask := q.Ask(sc.Props)
	member := func(r *holdfast.Resource) error {
		if r.State == holdfast.Tombstone {
			q.Status(t.Href+encodeSegment(r.Name), http.StatusNotFound)
			return q.alive()
		}
		return ask.Respond(q.Member(r))
	}
	var next string
	var more bool
	switch {
	case !walked(t):
		next, more, err = q.Reader.Changes(t.Collection, sc.Token, sc.Limit, ask.Needs(t.Collection.Type), member)
	case sc.Level == davxml.LevelInfinite || sc.Level == davxml.LevelUnsaid && q.Depth == davxml.DepthInfinity:
		return Refuse(http.StatusForbidden, davxml.DSyncTraversalSupported, "a folder is synchronised with what is in it itself: ask with DAV:sync-level 1, and each of its folders by itself")
	default:
		next, more, err = q.Reader.FolderChanges(t.Collection, sc.Token, sc.Limit, ask.Needs(t.Collection.Type), member, q.subFolder(ask))
	}
	if err != nil {
		return err
	}
	if more { // section 3.6: what is left out is told, with the token to go on from
		q.Status(t.Href, http.StatusInsufficientStorage, davxml.Condition{Name: davxml.DNumberOfMatchesWithinLimits})
	}
	q.SyncToken(next)
	return nil
}

// subFolder answers for a folder that came to the target, or went from it.
func (q *Query) subFolder(ask *Ask) func(string, *holdfast.Collection) error {
	return func(name string, now *holdfast.Collection) error {
		if now == nil {
			q.Status(q.Target.Href+encodeSegment(name)+"/", http.StatusNotFound)
			return q.alive()
		}
		t, err := q.childOf(q.Target, now)
		if err != nil {
			return err
		}
		return ask.Respond(t)
	}
}
