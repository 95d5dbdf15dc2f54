package recur

import "errors"

// DefaultSteps is the budget of who names none. A daily instance of forty years
// takes 15,000 steps.
const DefaultSteps = 200_000

// ErrBudget says that a rule was not followed to its end, because it took more
// steps than its budget had.
var ErrBudget = errors.New("the recurrence takes more steps than its budget has")

// Budget bounds the work of one evaluation, however many rules take part: they
// all draw from it. A step is about one candidate looked at. It is not for use by
// several goroutines at once.
type Budget struct{ left int }

// NewBudget gives a budget of that many steps.
func NewBudget(steps int) *Budget { return &Budget{left: max(steps, 0)} }

// Spend takes n steps, and tells whether there were as many. A nil Budget has
// no steps to give.
func (b *Budget) Spend(n int) bool {
	if b == nil || b.left < n {
		if b != nil {
			b.left = -1
		}
		return false
	}
	b.left -= n
	return true
}

// Exhausted tells whether more steps were asked for than there were.
func (b *Budget) Exhausted() bool { return b != nil && b.left < 0 }

// Left tells how many steps there are still.
func (b *Budget) Left() int {
	if b == nil {
		return 0
	}
	return max(b.left, 0)
}

// OrDefault gives b, or a new budget of DefaultSteps if there is none.
func (b *Budget) OrDefault() *Budget {
	if b == nil {
		return NewBudget(DefaultSteps)
	}
	return b
}
