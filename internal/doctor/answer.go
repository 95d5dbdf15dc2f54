package doctor

import (
	"errors"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/vfs"
)

// answerWithin is how long a file system may take to say what it is, and how much room it has: one on a server that is gone may never do so.
const answerWithin = 3 * time.Second

var errSilent = errors.New("the file system does not answer")

// answered asks a file system, and does not wait for ever. Who asked stays behind where it never answers: nothing can call it back.
func answered[T any](ask func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	c := make(chan answer, 1)
	go func() {
		v, err := ask()
		c <- answer{v, err}
	}()
	timer := clock.System.NewTimer(answerWithin)
	defer timer.Stop()
	select {
	case a := <-c:
		return a.v, a.err
	case <-timer.C():
		var none T
		return none, errSilent
	}
}

// room returns how much is free where a path lies.
func (d *doctor) room(path string) (vfs.Space, error) {
	return answered(func() (vfs.Space, error) { return d.o.FreeSpace(path) })
}
