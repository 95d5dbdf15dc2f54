// Package notice tells operators what is wrong, once, and when it is over.
//
// A [Condition] is something that is wrong now, as who looks at the service finds it again with each look. The [Board] remembers which are open, and makes a [Notice] of what is new: one begins, gets worse, is over. It remembers in a file, so
// that a restart repeats nothing, and a condition that comes and goes is over only after it was absent for a while.
//
// A [Way] carries notices to people: by mail, as an HTTP request, through ntfy, by a command. What could not be delivered waits in the same file and is tried again; how much waits is bounded, and nobody who serves phones waits for any of it.
// A notice is delivered at least once: one whose delivery was not written down before the power went is sent again, with the same id.
package notice
