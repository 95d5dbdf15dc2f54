// Package salvage brings back what devices still hold: files that a phone exported are compared with all that an account has and ever had, and what the account lacks is added.
//
// It adds and does nothing else: no item gets a new version, none goes, nothing is merged. What is there already is left, whoever wrote it how; what an earlier version says is left too; what was
// deleted on purpose is named and comes back only if that is asked for; what is there in another version gets a copy beside it that says so; everything else is stored.
//
// The parts:
//
//	facts.go    what a version says, in a form that can be compared
//	index.go    all that an account has and had, and what a found item is
//	salvage.go  one run: finding, deciding, storing
//	copy.go     conflict copies
package salvage
