//go:build !linux

package main

// refuseCode does nothing where the system has no way.
func refuseCode() {}
