// Package purego stands in for the module of that name (see "replace" in go.mod), which loads libraries of the system into the process.
//
// The decoders of HEIC and AVIF would use libheif and libavif of the system if they found them, and only then their own ones, which run in WebAssembly. A
// program that can load libraries is linked dynamically, and what decodes a stranger's photo would hang on what a host has installed. Here nothing is ever
// found.
package purego

import "errors"

// Modes of Dlopen.
const (
	RTLD_NOW    = 2
	RTLD_GLOBAL = 0x100
)

// Dlopen finds nothing.
func Dlopen(string, int) (uintptr, error) {
	return 0, errors.New("libraries of the system are not used")
}

// RegisterLibFunc is not reached, because nothing was found.
func RegisterLibFunc(any, uintptr, string) { panic("libraries of the system are not used") }
