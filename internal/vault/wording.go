package vault

import (
	"errors"
	"strings"

	"holdfast"
)

// wording says to a person what is wrong with an object whose name stands beside it: without that name, and without the operation that met it.
func wording(object string, err error) string {
	var e *holdfast.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := e.Text
	if text == "" {
		text = e.Kind.String()
	}
	if e.Ref != "" && e.Ref != object && !strings.Contains(text, e.Ref) {
		text = e.Ref + ": " + text
	}
	if why := e.Cause(); why != "" {
		text += " (" + why + ")"
	}
	return text
}
