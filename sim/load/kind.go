package load

// Kind is what a client stores and reads: contacts or events. The zero Kind is contacts.
type Kind struct {
	Ext  string // of the names of resources
	Type string // Content-Type
	// Append appends the octets of a version of what has this UID. The same UID and version give the same octets, different ones different octets.
	Append func(b []byte, uid string, version int) []byte

	multiget, data, space string // of the report that gets many (RFC 6352, RFC 4791)
	begins                string // begins each resource
}

// Contacts are vCards, see AppendCard.
func Contacts() Kind {
	return Kind{".vcf", "text/vcard; charset=utf-8", AppendCard, "addressbook-multiget", "address-data", "carddav", "BEGIN:VCARD"}
}

// Events are calendar objects, see AppendEvent.
func Events() Kind {
	return Kind{".ics", "text/calendar; charset=utf-8", AppendEvent, "calendar-multiget", "calendar-data", "caldav", "BEGIN:VCALENDAR"}
}

func (k Kind) orContacts() Kind {
	if k.Append == nil {
		return Contacts()
	}
	return k
}
