// Package davxml reads and writes the XML of WebDAV, and the few headers that steer it.
//
// It knows the shapes of RFC 4918 and its family, but no store, no href and no account. It has three parts.
//
// Reading. Parse turns a request body into a small tree of Elements. The body comes from a stranger: Limits bound the
// octets, the depth, the elements, the attributes and the names; a DOCTYPE is refused, so there are no entities to
// expand; time is linear in the octets. Names are resolved to namespaces. Mixed content, prefixes and xml:lang are
// kept, and Element.Standalone gives an element back as a fragment that can be stored and later returned anywhere
// (RFC 4918, section 4.3: dead properties). ParsePropFind, ParseSyncCollection and their siblings turn such a tree
// into a typed request.
//
//	root, err := davxml.Parse(r.Body, davxml.DefaultLimits())
//	switch {
//	case errors.Is(err, davxml.ErrEmpty):
//		ask = davxml.PropSet{Mode: davxml.AllProp}
//	case err != nil:
//		return err // a *davxml.Error: Kind.Status() is the HTTP status, Error() one sentence for the client
//	default:
//		ask, err = davxml.ParsePropFind(root, limits)
//	}
//
// Writing. Writer appends XML with fixed prefixes; Multistatus streams the answer 207 over it:
//
//	m := davxml.NewMultistatus(w)
//	m.Response("/dav/addressbooks/7/default/a.vcf")
//	m.Propstat(200)
//	m.Element(davxml.DGetETag, `"1f..."`)
//	m.Status("/dav/addressbooks/7/default/b.vcf", 404)
//	m.SyncToken(token)
//	return m.Close()
//
// A multistatus is closed only when all of it is true. A listing that is cut short and still well-formed says to a
// phone that everything after the cut was deleted. So an error in the middle means: do not call Close, and abort the
// connection. Multistatus.Fail makes Close impossible.
//
// Headers. ParseIf, ParseETagList, ParsePrefer, ParseDepth, ParseOverwrite and ParseDestination.
//
// Names. A Name is a namespace and a local name, comparable and usable as a map key. The names of the standards are
// variables that begin with the prefix they have on the wire: DHref is DAV:href, CRAddressData is CARDDAV:address-data,
// CCalendarData is CALDAV:calendar-data, CSGetCTag and ACalendarColor are Apple's. Nobody may assign to them.
package davxml
