// Package fleet lives with a server as many people do: simulated devices of five kinds sync over real HTTP, people edit on them, go offline and set devices up
// again, and in the end a judge compares what the server and the devices have with what the people did.
//
// A [Device] has a local store and the rules of one client: which requests it sends, and what it does on each answer, also on those that a server must never give.
// The rules were read from the clients' sources; each is named where it stands. A device keeps or deletes as its client would: an emptied phone can be seen here.
//
// A [Person] is the memory outside of the devices: every edit, what was acknowledged of it, every deletion that was meant. Whatever a device drops is held against
// that memory at once. [Run] plays a seeded plan of people's acts on a server; the same seed plans the same acts. [Judge] finds edits that were lost.
//
// Memory is bounded by the plan: about 250 octets for each act, and one to two kilobytes for each item on each device.
package fleet
