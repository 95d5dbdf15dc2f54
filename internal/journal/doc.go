// Package journal is how changes are written down outside of an engine: one change is one line of JSON, which a person reads with jq.
//
// A line holds everything that the canonical entry is made of, the octets verbatim, and where the change stood. The hashes of entry and chain are not in it: who reads
// lines computes them ([Extend]), and compares the last one with what was promised. A batch is a line that says which one it is, followed by its changes' lines.
//
//	{"account":ID,"epoch":1,"seq":412,"group_end":412,"batch":97,"stored":TIME,"id":ID,"op":"put","kind":"address","collection":ID,"name":"x.vcf","type":"text/vcard",
//	 "text":"BEGIN:VCARD\r\n…","size":612,"sha256":HASH,"properties":[{"space":"DAV:","name":"displayname","xml":"…"}],"actor":ID,"device":ID,"at":TIME,"prev":12}
//
// Fields stand in this order; what says nothing is left out: actor where it is the account itself, device where there was none, prev where there is no earlier version. Octets
// that are no UTF-8 stand in base64 instead of text; in the place of octets that were let go of by retention stands "pruned":true, with their size and hash. Numbers stay below 2^53. Times are RFC 3339 in UTC. Unknown fields, of later versions, are passed over.
package journal
