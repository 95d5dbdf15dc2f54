package dav

import (
	"holdfast"
)

// Target is one resource as its properties see it, inside one snapshot.
type Target struct {
	Where Where  // exactly one place
	Href  string // percent-encoded, spelled in the form of the request; a collection's ends in a slash

	// Account is who owns it, another one than who asks where it is shared; zero at AtRoot, AtPrincipals and AtHomes.
	Account holdfast.Account
	// Collection is the collection itself, or the one that the member is in; nil outside of InTree. Its counts and last change are of the snapshot. One that is shared
	// with who asks has the properties that it has for them.
	Collection *holdfast.Collection
	// Resource is the member; nil for everything else. Body, Properties and ContentType are there if they were asked for.
	Resource *holdfast.Resource
}

// Dead returns the target's dead properties. Of a member they are there only if core.WithProps was asked for.
func (t *Target) Dead() holdfast.Properties {
	switch {
	case t.Resource != nil:
		return t.Resource.Properties
	case t.Collection != nil:
		return t.Collection.Properties
	}
	return nil
}

// IsCollection tells whether the target is a collection (RFC 4918 section 5.2), a principal included.
func (t *Target) IsCollection() bool { return t.Where != AtMember }

// Type is the type of the collection that the target is or is in; "" outside of InTree.
func (t *Target) Type() holdfast.CollectionType {
	if t.Collection == nil {
		return ""
	}
	return t.Collection.Type
}
