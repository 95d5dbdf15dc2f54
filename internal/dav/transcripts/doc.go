// Package transcripts replays what programs say to a CardDAV, CalDAV and WebDAV server, and checks that the answers hold what each of them needs.
//
// A transcript is a readable text: one client, its requests in order, and after each request what the client looks for in the answer. The texts in testdata
// were reconstructed from public sources, which the head of each names; the requests were written anew.
//
//	# Everything up to the first step is the head: comments and settings.
//	agent Example/1.0
//	given 20 contacts
//
//	--- find the principal
//	PROPFIND {{.start}}
//	Depth: 0
//	Content-Type: text/xml
//
//	<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>
//	=> 207
//	let principal = {{.start}} D:current-user-principal/D:href
//
//	--- meanwhile edit 10
//
// A step begins with --- and its title. Then come the request line (method and target), headers, an empty line, and the body. The line => ends the request; it
// names the statuses that are right. Bodies of type text/vcard and text/calendar are sent with CRLF. A request that is answered with a redirect is sent again to the new place, as
// all of these clients do, unless the step expects the redirect.
//
// Everything may use the variables that earlier steps took from answers, as a [text/template]: {{.principal}}, {{range .members}}…{{end}}, and {{xml .}} to put
// text into XML. The variables at the beginning are start (the path that a user types), login, and base (of the collection that the first "given" is in);
// files (the home of files), cloud (the same below /remote.php, with the login) and arriving (where files arrive in chunks).
//
// What is given are contacts, events, todos or journals, or shared: events in a calendar that somebody else shares with the user, and changes. There may be a line
// for each kind, and each kind has a collection of its own. Event n begins at 9:00 in
// Berlin on day n of March 2026 and lasts an hour; every fifth repeats weekly for ever. To-do n is due on that day; every third has no time at all, every fourth is done. Journal n is of that day.
//
// After => each line asks for one thing:
//
//	header NAME ~ REGEXP              a header of the answer matches
//	prop HREF PATH                    the response for HREF has PATH in a propstat with 200; behind it may stand
//	                                  = TEXT, != TEXT, ~ REGEXP for the text that it is to have
//	noprop HREF PATH                  it does not
//	status HREF CODE                  the response for HREF has this status of its own
//	absent HREF                       there is no response for HREF
//	members N                         responses other than that for the request's target: exactly N
//	verbatim HREF                     CR:address-data (C:calendar-data, where HREF ends in .ics) is, octet for octet, what was last PUT there
//	body ~ REGEXP                     the body of the answer matches
//	body is put                       the body is, octet for octet, what was last PUT to the request's target
//	let NAME = HREF PATH              takes the text of PATH
//	let NAME = header NAME            takes a header
//	let NAME = sync-token             takes the sync token that ends a multistatus
//	find NAME = PATH                  takes the href of the first member that has PATH
//	hrefs NAME                        takes the list of hrefs of members
//
// A PATH is names with a prefix, and slashes between them; [ATTR=VALUE] behind a name asks for an attribute. Prefixes: D (DAV:), CR (CardDAV), C (CalDAV), CS
// (calendarserver.org), A (Apple's iCal), ME (me.com), MM (MobileMe). A HREF must be written exactly as in the answer.
//
// A step "meanwhile VERB N KIND" is another device: it adds, edits or deletes N of a kind, the first kind that is given if none is named. {{.changed}} then lists
// their hrefs.
package transcripts
