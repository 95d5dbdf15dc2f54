// Package carddav makes address books of WebDAV collections: CardDAV, RFC 6352.
//
// It has two parts. [Judge] says which octets may be stored in an address book; the core asks it on every write. [Extension] adds to the ground (package dav)
// what clients of address books ask for: properties, the reports addressbook-query and addressbook-multiget, and vCards in the version that a client wants.
//
// Octets are given back as they came. Another form is made only for who asks for one: with a version or a choice of properties in CARDDAV:address-data, or with
// a version in Accept. RFC 6352 says that a client which names no version means 3.0; here it means the stored one, because two programs that speak 4.0 must
// find each other's octets. The exception are programs that are known to read 3.0 alone and never say so, see [Options]. The ETag is always that of the stored
// octets.
//
// Where the RFC and the safety of a phone differ, the phone wins: an addressbook-query of Depth 0 on an address book asks its members, because an empty answer
// would tell the phone to delete them.
package carddav

import (
	"net/http"
	"strings"

	"holdfast"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
)

// MediaType is what every address object is served as.
const MediaType = "text/vcard; charset=utf-8"

// Options say what cannot be known here.
type Options struct {
	// MaxResource is the most octets of one address object, as the core's Limits.Resource has it. It is told to clients as max-resource-size.
	MaxResource int64
	// Reads3 tells by the headers of a request whether the client reads vCard 3.0 alone and does not say so. nil: AppleContacts.
	Reads3 func(http.Header) bool
}

func (o Options) withDefaults() Options {
	if o.MaxResource <= 0 {
		o.MaxResource = 10 << 20
	}
	if o.Reads3 == nil {
		o.Reads3 = AppleContacts
	}
	return o
}

// AppleContacts tells whether a request comes from the Contacts of macOS or iOS: they never name a version, write
// 3.0, and what they do not know of 4.0 would be gone with the next edit.
func AppleContacts(h http.Header) bool {
	agent := h.Get("User-Agent")
	for _, known := range []string{"dataaccessd/", "AddressBookCore/", "AddressBookSourceSync", "AddressBook/", "CoreDAV/", "accountsd/"} {
		if strings.Contains(agent, known) {
			return true
		}
	}
	return false
}

// Extension returns CardDAV for dav.Options.Extensions.
func Extension(o Options) dav.Extension {
	o = o.withDefaults()
	return dav.Extension{
		Name:         "carddav",
		Type:         holdfast.TypeAddressbook,
		Home:         holdfast.HomeAddressbooks,
		ResourceType: davxml.CRAddressbook,
		PlainMkCol:   true,
		Compliance:   []string{"addressbook"},
		Rules:        rules(),
		MemberType:   MediaType,
		MemberSuffix: ".vcf",
		Represent:    o.represent,
		Properties:   o.properties(),
		Reports:      o.reports(),
	}
}

// The rules of RFC 6352 that errors name.
const (
	ruleValidData      = "valid-address-data"
	ruleSupportedData  = "supported-address-data"
	ruleMaxSize        = "max-resource-size"
	ruleFilter         = "supported-filter"
	ruleCollation      = "supported-collation"
	ruleLocation       = "addressbook-collection-location-ok"
	ruleCoreLocation   = "collection-location-ok" // the core's name, for all types of collection
	ruleUID            = "no-uid-conflict"
	ruleDataConversion = "supported-address-data-conversion"
)

// rules gives their names in XML.
func rules() map[string]davxml.Name {
	return map[string]davxml.Name{
		ruleValidData:      davxml.CRValidAddressData,
		ruleSupportedData:  davxml.CRSupportedAddressData,
		ruleMaxSize:        davxml.CRMaxResourceSize,
		ruleFilter:         davxml.CRSupportedFilter,
		ruleCollation:      davxml.CRSupportedCollation,
		ruleLocation:       davxml.CRAddressbookCollectionLocationOk,
		ruleCoreLocation:   davxml.CRAddressbookCollectionLocationOk,
		ruleUID:            davxml.CRNoUIDConflict,
		ruleDataConversion: davxml.CRSupportedAddressDataConversion,
	}
}

// refuse makes the error for input that breaks a rule. text is one sentence for a person.
func refuse(op, rule, text string) error {
	return &holdfast.Error{Op: "carddav." + op, Kind: holdfast.Invalid, Rule: rule, Text: text}
}
