// Package storetest is the one suite for all engines. [Run] has a test for each clause of the contract in package store, S1 to S10, one for each
// rule that a commit judges, and a long run of seeded random operations that the engine and the model (package memory) must answer alike.
//
// Set HOLDFAST_SEED to run the random operations of one seed again, HOLDFAST_OPS for their number.
//
// The makers of accounts, entries and groups are exported, for whoever tests something over an engine.
package storetest
