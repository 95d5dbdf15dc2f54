package store

import "holdfast"

// Err builds an error of the store, so that every engine says the same thing for the same cause (S9).
func Err(op string, kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "store." + op, Kind: kind, Ref: ref, Text: text}
}
