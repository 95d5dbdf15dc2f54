package main

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"holdfast"
)

// The exit status of every command.
const (
	exitFine         = 0
	exitNegative     = 1
	exitUsage        = 2
	exitRefused      = 3
	exitBusy         = 4
	exitInconclusive = 5
)

// exitError is an error that knows its exit status. Its text is one sentence for a person; empty where everything was said already.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// exitCodes is the one table from kinds of errors to the exit status; what is not in it is a negative finding.
var exitCodes = map[holdfast.ErrorKind]int{
	holdfast.Invalid: exitUsage, holdfast.Forbidden: exitRefused, holdfast.Fenced: exitRefused, holdfast.Unavailable: exitBusy,
	holdfast.Busy: exitBusy, holdfast.Full: exitBusy, holdfast.InDoubt: exitInconclusive,
}

func exitCode(err error) int {
	var x *exitError
	if errors.As(err, &x) {
		return x.code
	}
	if errors.Is(err, context.Canceled) {
		return exitBusy
	}
	if errors.Is(err, syscall.ENOSPC) { // whichever file it was: with room the same is run again
		return exitBusy
	}
	var e *holdfast.Error
	if errors.As(err, &e) {
		if code, ok := exitCodes[e.Kind]; ok {
			return code
		}
		return exitNegative
	}
	return exitNegative
}

// sentence says an error as one sentence.
func sentence(err error) string {
	var x *exitError
	var e *holdfast.Error
	switch {
	case errors.As(err, &x):
		return x.text
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case !errors.As(err, &e):
		return oneLine(err)
	}
	text := e.Text
	if text == "" {
		text = e.Kind.String()
	}
	if e.Ref != "" && !strings.Contains(text, e.Ref) {
		text = e.Ref + ": " + text
	}
	if why := e.Cause(); why != "" { // the operator may see it
		text += " (" + oneLine(errors.New(why)) + ")"
	}
	return text
}

// oneLine joins errors that stand on several lines.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
