// Package sim holds the whole-system tests: they build the real program, run it as a process of its own, and treat it as the world does. It is killed under
// load, traced down to its system calls, starved of disk, and talked to by clients that mean no good.
//
// Package load is the client and the memory of what was promised, package server runs the program, command bench measures it.
//
// Every random choice follows from a seed that is printed; -sim.seed repeats it. The moments at which processes run do not follow from it, so a
// repeated run makes the same requests and waits the same times, but may not meet the same race.
package sim
