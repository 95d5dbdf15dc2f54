// Package control is how the command line speaks to a store: an HTTP handler of operations over the core, and a client of it.
//
// There is one code path. While a server runs, the client reaches the handler through the control socket in the data directory, which only its owner can
// open ([Dial], [Listen]). Otherwise the command opens the store under the directory's exclusive lease and hands the same handler's requests
// over inside of the process ([InProcess]). What an operation does, how it is bounded and how it fails is the same in both.
//
// Small answers are one JSON object. An import and a check answer with one JSON object a line, as they go on; an export is a tar stream whose last entry is
// its manifest. Errors are a JSON object that becomes a *holdfast.Error again at the client.
package control
