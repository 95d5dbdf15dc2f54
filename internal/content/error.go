package content

import "fmt"

// Fault says what kind of mistake a SyntaxError is about.
type Fault int

// The kinds of mistake that content lines can have. Formats add their own from OfFormat on.
const (
	TooLarge         Fault = iota + 1 // the input is larger than Limits.Octets
	LineTooLong                       // a line is longer than Limits.LineOctets
	TooManyLines                      // more lines than Limits.Lines
	TooManyParams                     // more parameters than a line, or the whole input, may have
	ControlCharacter                  // NUL or another character that text may not hold
	LoneCR                            // a carriage return that does not end a line
	BadUTF8                           // octets that are not UTF-8
	BadQuoting                        // a quoted parameter value that does not end, or a quote where none may stand
	BadName                           // a line does not begin with a property name
	BadParam                          // a parameter without a name or a value
	NoColon                           // a line without a colon
	BadFold                           // the first line begins with white space
	OfFormat                          // the first that a format may use for itself
)

// SyntaxError says where an input stops being what it should be.
type SyntaxError struct {
	Line  int    // number of the line of text, from 1, folded parts counted; 0 where no line is at fault
	Fault Fault  // what kind of mistake
	Why   string // one sentence without the line number
}

// Error gives the sentence with its line number.
func (e *SyntaxError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Why)
	}
	return e.Why
}
