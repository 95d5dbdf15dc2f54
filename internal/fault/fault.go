// Package fault wraps places and file systems for tests, so that chosen calls go wrong: they fail before or after their effect, do half of it, find no space, are slow, or lie.
//
// A [Plan] decides what happens at which call, [Place] and [FS] obey it. Several wrappers may share one plan; its calls are then counted through all of them. To walk through every step of something: run it once over a plan of
// [Never], read [Plan.Calls], then run it with [Cut] at 1 up to that number.
package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
)

// Act is what happens at a call.
type Act int

const (
	None   Act = iota
	Before     // fails; nothing was done
	After      // fails, though it was done
	Half       // does half of it where it can be halved (an append, a write, a read), otherwise nothing; fails
	Full       // fails for want of space; of a call that needs none, like Before
	Lie        // says that it was done, and was not; a read gives octets of which one is other than it was
	Delay      // waits as the plan's Wait says, then does it
)

// String names the act as failure messages show it.
func (a Act) String() string {
	if names := [...]string{"none", "before", "after", "half", "full", "lie", "delay"}; a >= 0 && int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("Act(%d)", int(a))
}

// ErrFault is inside of each error that a plan causes.
var ErrFault = errors.New("fault")

// Plan decides what happens at each call. It may be used from many goroutines. Calls that only read are neither counted nor disturbed, unless Reads is set.
type Plan struct {
	Reads bool                              // reads are counted and disturbed as well
	Wait  func(ctx context.Context)         // what Delay does; nil: nothing
	Seen  func(n int, call string, act Act) // told of each counted call, one at a time; nil: nobody is
	act   func(n int, call string) Act      // called with mu held
	cutAt int                               // above zero: what comes after this call fails, reads as well

	mu     sync.Mutex
	calls  int
	struck int
	healed bool
}

// Never returns a plan that counts and disturbs nothing.
func Never() *Plan { return By(func(int, string) Act { return None }) }

// By returns a plan that asks act at each counted call; n begins at 1, call is the method and the name that it is about ("Put heads/000000000001"). It is asked for one call at a time.
func By(act func(n int, call string) Act) *Plan {
	return &Plan{act: act}
}

// At returns a plan by which the nth call alone is disturbed.
func At(n int, act Act) *Plan {
	return By(func(i int, _ string) Act {
		if i == n {
			return act
		}
		return None
	})
}

// Cut returns a plan by which act happens at the nth call and everything after it fails, reads as well, until [Plan.Heal]: the process was killed, or the network was cut, at that step.
func Cut(n int, act Act) *Plan {
	p := At(n, act)
	p.cutAt = n
	return p
}

// Seeded returns a plan by which about perMille of a thousand calls are disturbed, by one of acts each. The same seed and the same order of calls give the same faults.
func Seeded(seed uint64, perMille int, acts ...Act) *Plan {
	r := rand.New(rand.NewPCG(seed, 0x6661756c74))
	return By(func(int, string) Act {
		if r.IntN(1000) < perMille {
			return acts[r.IntN(len(acts))]
		}
		return None
	})
}

// Calls returns how many calls were counted.
func (p *Plan) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// Struck returns how many calls were disturbed; a test that relies on faults asks whether there were any.
func (p *Plan) Struck() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck
}

// Heal ends all faults; calls are still counted.
func (p *Plan) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.healed = true
}

// next counts a call and returns what happens at it.
func (p *Plan) next(ctx context.Context, call string, reading bool) Act {
	act := p.decide(call, reading)
	if act != Delay {
		return act
	}
	if p.Wait != nil {
		p.Wait(ctx)
	}
	return None
}

func (p *Plan) decide(call string, reading bool) Act {
	p.mu.Lock()
	defer p.mu.Unlock()
	counted := !reading || p.Reads
	if counted {
		p.calls++
	}
	act := None
	switch {
	case p.healed:
	case p.cutAt > 0 && (p.calls > p.cutAt || p.calls == p.cutAt && !counted):
		act = Before
	case counted:
		act = p.act(p.calls, call)
	}
	if act != None {
		p.struck++
	}
	if p.Seen != nil && counted {
		p.Seen(p.calls, call, act)
	}
	return act
}
