package main

import (
	"fmt"
	"time"

	"holdfast/internal/clock"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far long work has come: a bar on a terminal, a plain line now and then elsewhere.
type progress struct {
	a     *app
	noun  string
	where string // said behind the number
	bare  bool   // only items are counted, no octets
	bar   *progressbar.ProgressBar
	began time.Time
	next  time.Time
}

// lineEvery is how often a plain line says how far the work has come.
const lineEvery = 10 * time.Second

// noOctets is for work of which only items are counted.
const noOctets = -1

// progress begins. octets is how many there are in all, 0 where that is not known, and less where none are counted.
func (a *app) progress(noun string, octets int64) *progress {
	now := clock.System.Now()
	p := &progress{a: a, noun: noun, bare: octets < 0, began: now, next: now.Add(lineEvery)}
	if terminal(a.stderr) {
		if octets <= 0 {
			octets = -1 // a spinner
		}
		p.bar = progressbar.NewOptions64(octets, progressbar.OptionSetWriter(a.stderr), progressbar.OptionShowBytes(!p.bare), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetDescription(noun), progressbar.OptionSetPredictTime(octets > 0), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30))
	}
	return p
}

// at tells how many items and octets are done.
func (p *progress) at(items int, octetsDone int64) {
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%d %s%s", items, p.noun, p.where))
		_ = p.bar.Set64(octetsDone) // only a picture
		return
	}
	now := clock.System.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(lineEvery)
	size := ""
	if !p.bare {
		size = ", " + octets(octetsDone)
	}
	p.a.say("%d %s so far%s%s, %.0f/s\n", items, p.noun, p.where, size, float64(items)/now.Sub(p.began).Seconds())
}

// wait tells that the work waits for somebody else.
func (p *progress) wait(why string, seconds float64) {
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s; waiting %.0f s", why, seconds))
		return
	}
	p.a.say("%s; waiting %.0f s\n", why, seconds)
}

// end takes the bar away. It may be called twice.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}
