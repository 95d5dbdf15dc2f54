// Package load speaks to a CardDAV and CalDAV server as fast as one machine allows, and remembers what it was promised.
//
// The client is lean on purpose, because it shares its cores with the server that it measures: a [Conn] is one kept-alive TCP connection, a request is
// prebuilt octets, an answer is read by a parser of a few lines. It speaks HTTP/1.1 to servers that behave; it is no general client.
//
// A [Writer] is one device of one account: it creates, updates and deletes contacts and keeps what was acknowledged, with ETag and receipt, so that
// [Writer.Verify] can tell later whether the server kept its word. The octets of a contact follow from its UID and version ([AppendCard]), so nothing
// of them needs to be kept.
//
// What is written and read is a [Kind]: contacts, or events, of which [EventOf] knows when they take place. A [Phone] lists an address book, fetches it by multiget, and asks for what changed. A [Histogram] holds latencies in little memory. [Run] drives many
// writers at once, bounded in count and time.
package load
