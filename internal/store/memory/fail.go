package memory

import (
	"fmt"

	"holdfast"
	"holdfast/internal/store"
)

// fail builds an error of Commit.
func fail(kind holdfast.ErrorKind, ref, format string, args ...any) error {
	return store.Err("Commit", kind, ref, fmt.Sprintf(format, args...))
}
