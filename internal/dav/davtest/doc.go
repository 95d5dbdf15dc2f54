// Package davtest is what tests of the protocols on top of WebDAV have in common: a server over a strict model of an engine (Server, Engine), and
// the eyes of a client (Client, Answer, Response).
package davtest
