// Package refused keeps what devices sent and were refused: some drop the edit then, and download what the server has over it.
//
// What lies here was never acknowledged. It is no change, has no history and no second copy, and it goes after a while: it is a chance to bring an edit in
// by hand, not a promise. A file holds one body, after a line of JSON that says whose it is; the directory of an account holds its files.
//
// Keeping is never in the way of an answer: [Store.Keep] puts a body into a bounded queue, and [Store.Run] writes it.
package refused
