// Package remote is a place on another machine: what `holdfast vault serve` keeps there, over HTTPS.
//
// # The protocol
//
// Below the server's URL, with "Authorization: Bearer CREDENTIAL":
//
//	GET    /vault/v1/                                     what the server says of itself ([Server]), its time among it
//	GET    /vault/v1/objects?prefix=P&after=A             the next objects by name ([Page])
//	                             &contents=true             with the octets of small ones;  &last=true: only the last one
//	GET    /vault/v1/objects/NAME                         octets; Range asks for a part
//	HEAD   /vault/v1/objects/NAME                         Content-Length, and Holdfast-Made
//	PUT    /vault/v1/objects/NAME                         makes an object, never overwrites
//	POST   /vault/v1/objects/NAME?at=N                    appends at offset N, which must be the end
//	DELETE /vault/v1/objects/NAME                         removes, with the prune credential, what the server's own rules let go
//	POST   /vault/v1/prune                                has the server let go of everything that its rules say is needed no more
//
// What is sent carries its SHA-256 in Content-Digest (RFC 9530); the server judges it before anything is durable, and says in its answer ([Stored]) what it keeps: an answer that does not
// say so is none, whatever its status. An error is a [Problem].
//
// # What a broken connection leaves
//
// A PUT that was cut may be repeated: the same octets under the same name succeed. After an append that was cut it is not known whether it is there; it is never sent again, and the vault's writer goes on in a new
// segment. An append that arrives late, or twice, does not begin at the end any more and is refused.
//
// # Who is on the other side
//
// The server's certificate is known by its SHA-256 where a fingerprint was given, otherwise by the system's roots. Everything that is sent was encrypted before: the server reads names, sizes and times.
package remote
