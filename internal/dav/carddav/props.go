package carddav

import (
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"

	"holdfast"
)

// properties are those of RFC 6352 sections 6.2, 7.1, 8.3.1 and 10.4. What clients ask for beyond (CS:me-card, me.com's bulk-requests and
// guardian-restricted, max-image-size, principal-address, directory-gateway) is not there until they set it: 404, which they all take.
func (o Options) properties() []dav.Property {
	return []dav.Property{
		{Name: davxml.CRAddressbookHomeSet, Where: dav.AtRoot | dav.AtPrincipals | dav.AtPrincipal | dav.AtHomes | dav.AtHome | dav.AtCollection, Has: hasHomeSet, Write: writeHomeSet},
		{Name: davxml.CRAddressbookDescription, Where: dav.AtCollection, Has: hasDescription, Write: writeDescription, Accept: acceptDescription},
		{Name: davxml.CRSupportedAddressData, Where: dav.AtCollection, Write: raw(supportedData)},
		{Name: davxml.CRSupportedCollationSet, Where: dav.AtCollection, Write: raw(supportedCollations)},
		{Name: davxml.CRMaxResourceSize, Where: dav.AtCollection, Write: o.writeMaxSize},
		{Name: davxml.CRAddressData, Where: dav.AtMember, Write: o.writeData, Needs: core.WithBody, InReports: true},
	}
}

const (
	supportedData = `<CR:supported-address-data>` +
		`<CR:address-data-type content-type="text/vcard" version="3.0"/><CR:address-data-type content-type="text/vcard" version="4.0"/>` +
		`</CR:supported-address-data>`
	supportedCollations = `<CR:supported-collation-set>` +
		`<CR:supported-collation>i;ascii-casemap</CR:supported-collation>` +
		`<CR:supported-collation>i;unicode-casemap</CR:supported-collation>` +
		`<CR:supported-collation>i;octet</CR:supported-collation>` +
		`</CR:supported-collation-set>`
)

// raw writes a property that never changes. The prefix CR is declared by the document that it is written into.
func raw(fragment string) func(*davxml.Writer, *dav.Query, *dav.Target, *davxml.Element) {
	return func(w *davxml.Writer, _ *dav.Query, _ *dav.Target, _ *davxml.Element) { w.RawString(fragment) }
}

// hasHomeSet: a principal has its own home. Everywhere above and inside the homes it is that of who asks, so that a client finds it from whatever address
// its user typed; the RFC asks for principals alone.
func hasHomeSet(q *dav.Query, t *dav.Target) bool { return !homeOwner(q, t).IsZero() }

func homeOwner(q *dav.Query, t *dav.Target) holdfast.ID {
	if t.Where == dav.AtPrincipal {
		return t.Account.ID
	}
	return q.Principal.Account
}

func writeHomeSet(w *davxml.Writer, q *dav.Query, t *dav.Target, _ *davxml.Element) {
	w.Href(davxml.CRAddressbookHomeSet, dav.HomeHref(homeOwner(q, t), holdfast.HomeAddressbooks))
}

func hasDescription(_ *dav.Query, t *dav.Target) bool { return description(t) != nil }

func description(t *dav.Target) []byte {
	return t.Dead().Get(davxml.CRAddressbookDescription.Space, davxml.CRAddressbookDescription.Local)
}

func writeDescription(w *davxml.Writer, _ *dav.Query, t *dav.Target, _ *davxml.Element) {
	w.Raw(description(t))
}

// acceptDescription: the value is text (RFC 6352 section 6.2.1).
func acceptDescription(_ *dav.Target, op davxml.PropOp) error {
	if op.Element != nil && len(op.Element.Children) > 0 {
		return refuse("Description", "", "an addressbook-description is plain text")
	}
	return nil
}

func (o Options) writeMaxSize(w *davxml.Writer, _ *dav.Query, _ *dav.Target, _ *davxml.Element) {
	w.Start(davxml.CRMaxResourceSize)
	w.Int(o.MaxResource)
	w.End()
}
