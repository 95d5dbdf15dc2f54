package store

import (
	"errors"

	"holdfast"
)

// Err builds an error of the store, so that every engine says the same thing for the same cause (S9).
func Err(op string, kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "store." + op, Kind: kind, Ref: ref, Text: text}
}

// IsJudgement tells an engine's considered refusal of a group from a failure below it.
func IsJudgement(err error) bool {
	var e *holdfast.Error
	return errors.As(err, &e) && e.Kind != holdfast.Internal
}
