// Package dav speaks WebDAV over the core: the ground that address books, calendars and files stand on.
//
// A [Handler] turns a request into one call of the core and the core's answer into a response. It owns the space of hrefs (see [Path]), the methods of
// RFC 4918 and its family, the live properties that every resource has, and the one table from error kinds to statuses. It knows nothing of vCard or
// iCalendar: what a type of collection adds comes as an [Extension], given in [Options]. Rights, limits and judging octets are the core's.
//
// Three rules stand above the RFCs, because a phone acts on what a server says:
//
//   - A listing is made whole, from one snapshot, before its first octet leaves. If anything fails, the client gets an error status, or a broken connection;
//     never a well-formed listing that lacks something.
//   - A fault of ours, and an account in doubt, is 503 with Retry-After on every URL. It is never 401, 403, 404, 410, an empty listing or a privilege
//     taken away.
//   - Preconditions of writes are judged by the core inside the commit. Nothing is decided here that another request could make untrue.
//
// RFCs: 4918 (locks for files alone), 3253 section 3.8, 3744 (principals, privileges, searches; no ACL method), 4331, 5397, 5689, 5995, 6578, 6764, 8144, and
// 9110 for conditions and ranges.
package dav
