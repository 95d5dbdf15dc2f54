package dav

import "holdfast/internal/davxml"

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
		{Name: davxml.DACL, Where: Everywhere, Write: writeACL},
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

func privilegesOn(t *Target) []davxml.Name {
	if t.Where&InTree != 0 {
		return ownerPrivileges
	}
	return readerPrivileges
}

func writePrivilege(w *davxml.Writer, n davxml.Name) {
	w.Start(davxml.DPrivilege)
	w.Empty(n)
	w.End()
}

func writePrivileges(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DCurrentUserPrivilegeSet)
	for _, n := range privilegesOn(t) {
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

// writeACL gives the one entry that there is, which nobody can change here.
func writeACL(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
	w.Start(davxml.DACL)
	w.Start(davxml.DACE)
	w.Start(davxml.DPrincipal)
	grant := davxml.DRead
	if t.Where&InTree != 0 {
		w.Element(davxml.DHref, PrincipalHref(t.Account.ID))
		grant = davxml.DAll
	} else {
		w.Empty(davxml.DAuthenticated)
	}
	w.End()
	w.Start(davxml.DGrant)
	writePrivilege(w, grant)
	w.End()
	w.Empty(davxml.DProtected)
	w.End()
	w.End()
}

func writeACLRestrictions(w *davxml.Writer, _ *Query, _ *Target, _ *davxml.Element) {
	w.Start(davxml.DACLRestrictions)
	w.Empty(dGrantOnly)
	w.Empty(dNoInvert)
	w.End()
}
