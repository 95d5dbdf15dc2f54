package dav

import (
	"net/http"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// emailAddress is Apple's element inside CS:email-address-set.
var emailAddress = davxml.Name{Space: davxml.NSCalendarServer, Local: "email-address"}

// principalProperties are the live properties of RFC 3744 and RFC 5397: who one is, whose something is, and what one may.
func principalProperties() []Property {
	return []Property{
		{Name: davxml.DCurrentUserPrincipal, Where: Everywhere, Write: func(w *davxml.Writer, q *Query, _ *Target, _ *davxml.Element) {
			w.Href(davxml.DCurrentUserPrincipal, PrincipalHref(q.Principal.Account))
		}},
		{Name: davxml.DPrincipalURL, Where: AtPrincipal, Write: ownerHref(davxml.DPrincipalURL)},
		{Name: davxml.DOwner, Where: InTree | AtPrincipal, Write: ownerHref(davxml.DOwner)},
		{Name: davxml.DPrincipalCollectionSet, Where: Everywhere, Write: func(w *davxml.Writer, _ *Query, _ *Target, _ *davxml.Element) {
			w.Href(davxml.DPrincipalCollectionSet, "/dav/"+areaPrincipals+"/")
		}},
		{Name: davxml.DGroupMembership, Where: AtPrincipal, Write: empty(davxml.DGroupMembership)},
		{Name: davxml.DGroupMemberSet, Where: AtPrincipal, Write: empty(davxml.DGroupMemberSet)},
		{Name: davxml.DAlternateURISet, Where: AtPrincipal, Write: writeAlternate},
		{Name: davxml.CSEmailAddressSet, Where: AtPrincipal, Write: writeEmail},
		{Name: davxml.DCurrentUserPrivilegeSet, Where: Everywhere, Write: writePrivileges},
		{Name: davxml.DSupportedPrivilegeSet, Where: Everywhere, Write: writeSupportedPrivileges},
		{Name: davxml.DACL, Where: Everywhere, Has: hasACL, Write: writeACL},
		{Name: davxml.DACLRestrictions, Where: Everywhere, Write: writeACLRestrictions},
		{Name: davxml.DInheritedACLSet, Where: Everywhere, Write: empty(davxml.DInheritedACLSet)},
	}
}

func empty(n davxml.Name) writer {
	return func(w *davxml.Writer, _ *Query, _ *Target, _ *davxml.Element) { w.Empty(n) }
}

// ownerHref gives the principal of who owns the target, by its id.
func ownerHref(n davxml.Name) writer {
	return func(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) { w.Href(n, PrincipalHref(t.Account.ID)) }
}

func writeAlternate(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	w.Href(davxml.DAlternateURISet, "mailto:"+encodeSegment(t.Account.Email))
}

func writeEmail(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.CSEmailAddressSet)
	w.Element(emailAddress, t.Account.Email)
	w.End()
}

// privileges that an owner has on what is theirs; RFC 3744 section 3 defines them. Trouble is never told by taking one away: phones drop unsent edits
// when a collection turns read-only.
var ownerPrivileges = []davxml.Name{davxml.DAll, davxml.DRead, davxml.DReadACL, davxml.DReadCurrentUserPrivilegeSet, davxml.DWrite,
	davxml.DWriteProperties, davxml.DWriteContent, davxml.DBind, davxml.DUnbind, davxml.DUnlock, davxml.DWriteACL}

// readerPrivileges are what everybody has on what is nobody's.
var readerPrivileges = []davxml.Name{davxml.DRead, davxml.DReadACL, davxml.DReadCurrentUserPrivilegeSet}

// Those of guests. On the collection that hangs in their home the properties that they write are their own, whatever their right.
var (
	guestReads  = []davxml.Name{davxml.DRead, davxml.DReadCurrentUserPrivilegeSet}
	guestHangs  = []davxml.Name{davxml.DRead, davxml.DReadCurrentUserPrivilegeSet, davxml.DWriteProperties}
	guestWrites = []davxml.Name{davxml.DRead, davxml.DReadCurrentUserPrivilegeSet, davxml.DWrite, davxml.DWriteProperties, davxml.DWriteContent, davxml.DBind, davxml.DUnbind}
)

// access is what the one who asks may do with a target of the tree.
func (q *Query) access(t *Target) core.Access {
	if t.Collection == nil {
		return core.NoAccess
	}
	return q.Reader.Access(t.Collection)
}

func (q *Query) privilegesOn(t *Target) []davxml.Name {
	switch {
	case t.Where == AtPrincipal && t.Account.ID != q.Principal.Account:
		return guestReads
	case t.Where&InTree == 0:
		return readerPrivileges
	}
	switch q.access(t) {
	case core.Owns:
		return ownerPrivileges
	case core.Writes:
		return guestWrites
	}
	if t.Where == AtCollection && q.Reader.Hangs(t.Collection) && !thunderbird(q.Header) {
		return guestHangs
	}
	return guestReads
}

// thunderbird tells whether a request comes from Thunderbird. It takes any right to write, be it of properties alone, for the right to write events: its user could edit what
// he may only read, and would lose the edit to a 403. It sets no properties on its server, so that it misses nothing where that right is not told.
func thunderbird(h http.Header) bool { return strings.Contains(h.Get("User-Agent"), "Thunderbird/") }

// owns tells whether a target of the tree is the asker's own.
func owns(q *Query, t *Target) bool { return q.access(t) == core.Owns }

// hasACL: who else something is shared with is its owner's to know.
func hasACL(q *Query, t *Target) bool { return t.Where&InTree == 0 || owns(q, t) }

// public are the live properties of a principal that those see with whom it shares something: who it is, and nothing of what it has.
var public = map[davxml.Name]bool{
	davxml.DResourceType: true, davxml.DDisplayName: true, davxml.DPrincipalURL: true, davxml.DAlternateURISet: true, davxml.CSEmailAddressSet: true,
	davxml.DGroupMembership: true, davxml.DGroupMemberSet: true, davxml.DCurrentUserPrincipal: true, davxml.DPrincipalCollectionSet: true,
	davxml.DCurrentUserPrivilegeSet: true, davxml.DSupportedReportSet: true,
	davxml.CCalendarUserAddressSet: true, davxml.CCalendarUserType: true,
}

// has tells whether a target has a live property.
func (q *Query) has(p *Property, t *Target) bool {
	if t.Where == AtPrincipal && t.Account.ID != q.Principal.Account && !public[p.Name] {
		return false
	}
	return p.Has == nil || p.Has(q, t)
}

// guests are those who may do something with a target of their owner's, by their ids.
func (q *Query) guests(t *Target) []holdfast.ShareRecord {
	if t.Where&(AtCollection|AtMember) == 0 {
		return nil
	}
	return q.Reader.SharedWith(t.Collection.ID)
}

func writePrivilege(w *davxml.Writer, n davxml.Name) {
	w.Start(davxml.DPrivilege)
	w.Empty(n)
	w.End()
}

func writePrivileges(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DCurrentUserPrivilegeSet)
	for _, n := range q.privilegesOn(t) {
		writePrivilege(w, n)
	}
	w.End()
}

// privilege is a node of the tree of privileges.
type privilege struct {
	name  davxml.Name
	about string
	parts []privilege
}

var allPrivileges = privilege{davxml.DAll, "everything", []privilege{
	{davxml.DRead, "read", []privilege{
		{davxml.DReadACL, "see who may do what", nil},
		{davxml.DReadCurrentUserPrivilegeSet, "see what you may do", nil},
	}},
	{davxml.DWrite, "write", []privilege{
		{davxml.DWriteProperties, "change properties", nil},
		{davxml.DWriteContent, "change content", nil},
		{davxml.DBind, "add members", nil},
		{davxml.DUnbind, "remove members", nil},
	}},
	{davxml.DUnlock, "remove locks", nil},
	{davxml.DWriteACL, "change who may do what", nil},
}}

func writeSupportedPrivileges(w *davxml.Writer, _ *Query, _ *Target, _ *davxml.Element) {
	w.Start(davxml.DSupportedPrivilegeSet)
	allPrivileges.write(w)
	w.End()
}

func (p privilege) write(w *davxml.Writer) {
	w.Start(davxml.DSupportedPrivilege)
	writePrivilege(w, p.name)
	w.Element(davxml.DDescription, p.about, davxml.Attr{Name: davxml.Name{Space: davxml.NSXML, Local: "lang"}, Value: "en"})
	for _, part := range p.parts {
		part.write(w)
	}
	w.End()
}

// writeACL gives the owner's entry and one for each guest. Nobody can change them here.
func writeACL(w *davxml.Writer, q *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DACL)
	if t.Where&InTree == 0 {
		writeACE(w, "", davxml.DRead)
	} else {
		writeACE(w, PrincipalHref(t.Account.ID), davxml.DAll)
	}
	for _, x := range q.guests(t) {
		if x.Rights == holdfast.RightWrite {
			writeACE(w, PrincipalHref(x.Guest), davxml.DRead, davxml.DWrite)
		} else {
			writeACE(w, PrincipalHref(x.Guest), davxml.DRead)
		}
	}
	w.End()
}

// writeACE writes one entry; for everybody who is signed in where href is empty.
func writeACE(w *davxml.Writer, href string, grant ...davxml.Name) {
	w.Start(davxml.DACE)
	w.Start(davxml.DPrincipal)
	if href != "" {
		w.Element(davxml.DHref, href)
	} else {
		w.Empty(davxml.DAuthenticated)
	}
	w.End()
	w.Start(davxml.DGrant)
	for _, n := range grant {
		writePrivilege(w, n)
	}
	w.End()
	w.Empty(davxml.DProtected)
	w.End()
}

func writeACLRestrictions(w *davxml.Writer, _ *Query, _ *Target, _ *davxml.Element) {
	w.Start(davxml.DACLRestrictions)
	w.Empty(dGrantOnly)
	w.Empty(dNoInvert)
	w.End()
}
