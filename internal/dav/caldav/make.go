package caldav

import (
	"net/http"
	"slices"
	"strings"

	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
)

// kinds are the components that a calendar can hold, in the order in which they are told. The first three are what one holds that was made without a word about it.
var kinds = []string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"}

const usualKinds = 3

// makeCalendar reads which components a new calendar is for (RFC 4791 section 5.2.3): afterwards that cannot be changed.
func makeCalendar(n *core.NewCollection, ops []davxml.PropOp) ([]davxml.PropOp, error) {
	n.Components = kinds[:usualKinds:usualKinds]
	kept := make([]davxml.PropOp, 0, len(ops))
	for _, op := range ops {
		if op.Name != davxml.CSupportedCalendarComponentSet {
			kept = append(kept, op)
			continue
		}
		var err error
		if n.Components, err = componentSet(op.Element); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

func componentSet(e *davxml.Element) ([]string, error) {
	var out []string
	for c := range e.All(davxml.CComp) {
		name, _ := c.Attr("", "name")
		name = strings.ToUpper(name)
		switch {
		case name == "VTIMEZONE" || name == "VALARM" || slices.Contains(out, name): // some clients name what goes without saying
		case !slices.Contains(kinds, name):
			return nil, refuse("Make", ruleComponent, "a calendar holds "+strings.Join(kinds, ", ")+" and nothing else")
		default:
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return kinds[:usualKinds:usualKinds], nil
	}
	return out, nil
}

// plainText refuses what is not text, or more than a line of it.
func plainText(most int) func(*dav.Target, davxml.PropOp) error {
	return func(_ *dav.Target, op davxml.PropOp) error {
		if op.Remove || op.Element == nil || len(op.Element.Children) == 0 && len(op.Element.Text) <= most {
			return nil
		}
		return dav.Refuse(http.StatusForbidden, davxml.Name{}, "the value of "+op.Name.Local+" is plain text, and not so much of it")
	}
}
