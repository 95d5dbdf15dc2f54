package notice

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"holdfast"
)

// Severity is how bad a condition is.
type Severity string

// The severities, the least first.
const (
	Info     Severity = "info"     // good to know; nothing is lost or stands still
	Warning  Severity = "warning"  // something is to be done within days
	Critical Severity = "critical" // a promise is not kept now, or soon will not be
)

// rank orders severities; what is not known is as bad as it gets.
func (s Severity) rank() int {
	switch s {
	case Info:
		return 1
	case Warning:
		return 2
	}
	return 3
}

// Condition is something that is wrong.
type Condition struct {
	Key      string    `json:"key"` // what it is about: the same in each look, like "vault.attic"
	Severity Severity  `json:"severity"`
	Title    string    `json:"title"` // one sentence
	Text     string    `json:"text"`  // what follows from it, and what to do
	Since    time.Time `json:"since"`
	// Grade orders what the same condition can become: a vault that is late, that fails, whose disk is full.
	Grade int `json:"grade"`
	// Measure is how bad it is, more being worse; 0: it is not measured. It is worse once it has doubled.
	Measure float64 `json:"measure"`
	// Sure tells that its end is found out as its beginning was, by looking at everything: it is over as soon as it is no longer found, and does not wait for [Options].Quiet.
	Sure bool `json:"sure,omitempty"`
}

// Bounds of what a condition says, in octets.
const (
	maxKey   = 120
	maxTitle = 300
	maxText  = 1000
)

// tidy bounds what a condition says: a part of it may come from another machine.
func (c Condition) tidy() Condition {
	c.Key, c.Title, c.Text = clip(c.Key, maxKey), clip(c.Title, maxTitle), clip(c.Text, maxText)
	c.Since = c.Since.UTC().Truncate(time.Second)
	if math.IsNaN(c.Measure) || math.IsInf(c.Measure, 0) { // which JSON does not know
		c.Measure = 0
	}
	return c
}

// clip makes one line of at most n octets.
func clip(s string, n int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }), " ")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}

// What a notice says of its condition.
const (
	Begins = "begins"
	Worse  = "worse"
	Over   = "over"
	Test   = "test" // of no condition: somebody tries the ways
)

// Notice is what people are told.
type Notice struct {
	ID     holdfast.ID `json:"id"`     // the same each time that it is sent
	Thread holdfast.ID `json:"thread"` // the id of the first notice on the same condition
	What   string      `json:"what"`   // begins, worse, over, test
	At     time.Time   `json:"at"`
	Server string      `json:"server"`
	Condition
}

// Subject says the notice in one line.
func (n *Notice) Subject() string {
	switch n.What {
	case Over:
		return "Over: " + n.Title
	case Worse:
		return "Worse: " + n.Title
	}
	return n.Title
}

// Body says the notice in full, as plain text.
func (n *Notice) Body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", n.Subject())
	if n.What == Over {
		fmt.Fprintf(&b, "It began at %s and is over. What was said about it then: %s\n", stamp(n.Since), n.Text)
	} else {
		fmt.Fprintf(&b, "%s\n", n.Text)
	}
	fmt.Fprintf(&b, "\nSeverity: %s. Since: %s. Told at: %s.\nServer: %s\n", n.Severity, stamp(n.Since), stamp(n.At), n.Server)
	return b.String()
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
