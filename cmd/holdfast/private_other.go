//go:build !unix

package main

// keepPrivate does nothing where files have no modes.
func keepPrivate() {}

// foreignOwner is not known here.
func foreignOwner(string) (string, bool) { return "", false }
