package dav

import (
	"net/http"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// writer is what makes a property's value.
type writer = func(w *davxml.Writer, q *Query, t *Target, ask *davxml.Element)

// groundProperties are the live properties of every resource, whatever its collection's type.
func groundProperties() []Property {
	collections := Everywhere &^ AtMember
	return append([]Property{
		{Name: davxml.DResourceType, Where: Everywhere, All: true, Write: writeResourceType},
		{Name: davxml.DDisplayName, Where: Everywhere, All: true, Needs: core.WithProps, Write: writeDisplayName, Accept: accept},
		{Name: davxml.DGetETag, Where: AtMember, All: true, Write: writeETag},
		{Name: davxml.DGetContentLength, Where: AtMember, All: true, Write: writeLength},
		{Name: davxml.DGetContentType, Where: AtMember, All: true, Needs: core.WithType, Write: writeType},
		{Name: davxml.DGetLastModified, Where: InTree, All: true, Write: writeModified},
		{Name: davxml.DCreationDate, Where: InTree, All: true, Write: writeCreated},
		{Name: davxml.DSupportedReportSet, Where: Everywhere, Write: writeReportSet},
		{Name: davxml.DSyncToken, Where: AtHome | AtCollection, Has: syncs, Write: writeSyncToken},
		{Name: davxml.CSGetCTag, Where: AtCollection, Has: tagged, Write: writeCTag},
		{Name: davxml.DAddMember, Where: AtCollection, Has: takesMembers, Write: writeAddMember},
		{Name: davxml.DResourceID, Where: AtHome | AtCollection | AtPrincipal, Write: writeResourceID},
		{Name: davxml.DQuotaUsedBytes, Where: AtHome | AtCollection, Has: fills, Write: writeQuotaUsed},
		{Name: davxml.DQuotaAvailableBytes, Where: AtHome | AtCollection, Has: hasQuota, Write: writeQuotaAvailable},

		// Never stored, never there: a PROPPATCH of them must fail rather than leave a dead property that looks alive.
		{Name: davxml.DLockDiscovery, Where: Everywhere, Has: never},
		{Name: davxml.DSupportedLock, Where: Everywhere, Has: never},
		{Name: davxml.DGetETag, Where: collections, Has: never},
		{Name: davxml.DGetContentLength, Where: collections, Has: never},
		{Name: davxml.DGetContentType, Where: collections, Has: never},
		{Name: davxml.DSyncToken, Where: Everywhere &^ (AtHome | AtCollection), Has: never},
		{Name: davxml.CSGetCTag, Where: Everywhere &^ AtCollection, Has: never},
		{Name: davxml.DQuotaUsedBytes, Where: AtMember, Has: never},
		{Name: davxml.DQuotaAvailableBytes, Where: AtMember, Has: never},
	}, principalProperties()...)
}

func never(*Query, *Target) bool { return false }

// accept takes any value.
func accept(*Target, davxml.PropOp) error { return nil }

func writeResourceType(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	if t.Where == AtMember {
		w.Empty(davxml.DResourceType)
		return
	}
	w.Start(davxml.DResourceType)
	w.Empty(davxml.DCollection)
	switch t.Where {
	case AtPrincipal:
		w.Empty(davxml.DPrincipal)
	case AtCollection:
		if x := q.h.extensionFor(t.Collection.Type, ""); x != nil && !x.ResourceType.IsZero() {
			w.Empty(x.ResourceType)
		}
	}
	w.End()
}

// writeDisplayName gives the name that somebody chose, or else one that tells what this is.
func writeDisplayName(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	if xml := t.Dead().Get(davxml.NSDAV, "displayname"); xml != nil {
		w.Raw(xml)
		return
	}
	w.Element(davxml.DDisplayName, defaultName(t))
}

func defaultName(t *Target) string {
	switch t.Where {
	case AtMember:
		return t.Resource.Name
	case AtCollection, AtHome:
		return t.Collection.Name
	case AtPrincipal:
		return t.Account.Email
	case AtPrincipals:
		return areaPrincipals
	}
	return "Holdfast"
}

func etagText(h holdfast.Hash) string { return `"` + h.String() + `"` }

func writeETag(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	w.Element(davxml.DGetETag, etagText(t.Resource.ETag))
}

func writeLength(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DGetContentLength)
	w.Int(t.Resource.Size)
	w.End()
}

func writeType(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Element(davxml.DGetContentType, q.h.mediaType(t.Collection.Type, t.Resource))
}

// mediaType is what a member is said to be.
func (h *Handler) mediaType(ct holdfast.CollectionType, r *holdfast.Resource) string {
	if x := h.extensionFor(ct, ""); x != nil && x.MemberType != "" {
		return x.MemberType
	}
	if r.ContentType != "" {
		return r.ContentType
	}
	return "application/octet-stream"
}

func writeModified(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	at := t.Collection.Modified
	if t.Resource != nil {
		at = t.Resource.Modified
	}
	w.Element(davxml.DGetLastModified, at.UTC().Format(http.TimeFormat))
}

func writeCreated(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	at := t.Collection.Made
	if t.Resource != nil {
		at = t.Resource.Made
	}
	w.Element(davxml.DCreationDate, at.UTC().Format(time.RFC3339))
}

func writeReportSet(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DSupportedReportSet)
	for _, n := range q.h.tableFor(placeOf(t)).rnames {
		if n == davxml.DSyncCollection && !syncs(q, t) {
			continue
		}
		w.Start(davxml.DSupportedReport)
		w.Start(davxml.DReport)
		w.Empty(n)
		w.End()
		w.End()
	}
	w.End()
}

// syncs tells whether a collection can be synchronised by RFC 6578: address books, calendars, folders, and the home of files, which is one.
func syncs(_ *Query, t *Target) bool {
	return t.Where == AtCollection || t.Where == AtHome && t.Collection.Name == holdfast.HomeFiles
}

// walked tells whether a collection holds collections, of which its report tells too.
func walked(t *Target) bool { return t.Where == AtHome || t.Collection.Type == holdfast.TypeFolder }

// tagged tells whether a collection has a tag that changes with it alone. The token of a folder changes with its account.
func tagged(q *Query, t *Target) bool { return syncs(q, t) && !walked(t) }

func writeSyncToken(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Element(davxml.DSyncToken, q.Reader.Token(t.Collection))
}

// writeCTag gives the sync token under its older name: equal tags, equal collections.
func writeCTag(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Element(davxml.CSGetCTag, q.Reader.Token(t.Collection))
}

func takesMembers(q *Query, t *Target) bool { return q.access(t) >= core.Writes }

// writeAddMember says where a POST makes a member with a name of the server's choice (RFC 5995).
func writeAddMember(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	w.Href(davxml.DAddMember, t.Href+"?"+addMember)
}

// writeResourceID gives what stays when a collection is moved (RFC 5842 section 3.1): its id, spelled as a UUID.
func writeResourceID(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	id := t.Account.ID
	if t.Collection != nil {
		id = t.Collection.ID
	}
	w.Href(davxml.DResourceID, URN(id))
}

// URN spells an id as a URN of a UUID (RFC 9562).
func URN(id holdfast.ID) string {
	const hex = "0123456789abcdef"
	b := []byte("urn:uuid:")
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, hex[c>>4], hex[c&15])
	}
	return string(b)
}

// fills tells whether a target takes room that concerns who asks: his own, and a folder of another's in which he may write.
func fills(q *Query, t *Target) bool {
	return owns(q, t) || t.Type() == holdfast.TypeFolder && q.access(t) == core.Writes
}

// usage reads once for a query what the target is a part of takes. Files that arrive in chunks count with what of them has come.
func (q *Query) usage(t *Target) core.Usage {
	top, err := q.Reader.Top(t.Collection)
	q.Fail(err)
	u, ok := q.usages[top]
	if ok || err != nil {
		return u
	}
	u, err = q.Reader.Usage(t.Collection)
	q.Fail(err)
	if own := t.Collection.Account; q.h.o.Uploads != nil {
		coming := q.h.o.Uploads.Octets(own)
		if u.Room = max(0, u.Room-coming); top == own {
			u.Used += coming
		}
	}
	if q.usages == nil {
		q.usages = map[holdfast.ID]core.Usage{}
	}
	q.usages[top] = u
	return u
}

func hasQuota(q *Query, t *Target) bool { return fills(q, t) && q.usage(t).Quota > 0 }

func writeQuotaUsed(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DQuotaUsedBytes)
	w.Int(q.usage(t).Used)
	w.End()
}

func writeQuotaAvailable(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DQuotaAvailableBytes)
	w.Int(q.usage(t).Room)
	w.End()
}
