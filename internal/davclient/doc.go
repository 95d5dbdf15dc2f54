// Package davclient reads what another server keeps for a person: its address books and calendars, over CardDAV (RFC 6352) and CalDAV (RFC 4791).
//
// It never writes: PROPFIND, REPORT and GET are all that it sends. [Client.Discover] finds the collections from whatever URL a person has at hand
// (RFC 6764), [Client.List] lists one, [Client.Fetch] brings its members octet for octet.
//
// The other server is not trusted. The password goes to the host that was named, over TLS, and to no other unless the caller names that one too; answers
// are read as a stream, within bounds of size, depth and time; a redirect is followed a few times, and only where the password may go.
package davclient
