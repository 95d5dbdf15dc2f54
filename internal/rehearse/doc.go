// Package rehearse loses a whole service on purpose and gets it back: the real program as child processes on loopback, simulated phones at work, a disaster, and the documented way back.
//
// A [Book] is written apart from the service while phones work: each change that the service acknowledged, as its receipt says it, taken from the answers themselves. In the end [reckon] asks
// the service for each of them. What the book has and the service has not is lost, whatever the service says of itself.
//
// Nothing here touches a store's files but to destroy them: everything else is done by the program's own commands.
package rehearse
