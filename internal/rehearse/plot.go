package rehearse

import (
	"fmt"
	"math"
	"strings"
)

// The size of a plot and its margins, in its own units: it is scaled to the page.
const (
	plotWidth, plotHeight     = 420.0, 190.0
	left, right, upper, lower = 48.0, 10.0, 14.0, 26.0
	innerWidth, innerHeight   = plotWidth - left - right, plotHeight - upper - lower
	mostTicks                 = 5.0
)

// plot is one figure of the report.
type plot struct {
	Title, Says string
	X, Y        []tick
	Curves      []curve
	Bars        []bar
	Marks       []mark
}

type tick struct {
	At   float64
	Text string
}

type curve struct{ Class, Points string }

// bar tells from when to when something was there.
type bar struct {
	Name     string
	Y        float64
	Segments []segment
}

type segment struct{ X, Width float64 }

// mark is a moment at which something was destroyed, or came back.
type mark struct {
	X     float64
	Grave bool
}

// scale maps seconds and values to the plot.
type scale struct{ seconds, top float64 }

func (s scale) x(sec float64) float64 { return left + innerWidth*sec/max(s.seconds, 1) }
func (s scale) y(v float64) float64   { return upper + innerHeight*(1-v/max(s.top, 1)) }

// step is a round distance of ticks so that at most a few fit below top.
func step(top float64) float64 {
	if top <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(top/mostTicks)))
	for _, m := range []float64{1, 2, 5, 10} {
		if top/(unit*m) <= mostTicks {
			return unit * m
		}
	}
	return unit * 10
}

func (s scale) axes(p *plot, values bool) {
	for t, d := 0.0, step(s.seconds); t <= s.seconds; t += d {
		p.X = append(p.X, tick{s.x(t), fmt.Sprintf("%.0f s", t)})
	}
	if !values {
		return
	}
	for v, d := 0.0, step(s.top); v <= s.top; v += d {
		p.Y = append(p.Y, tick{s.y(v), short(v)})
	}
}

// short says a number in few letters.
func short(v float64) string {
	if v >= 10_000 {
		return fmt.Sprintf("%.0fk", v/1000)
	}
	return fmt.Sprintf("%.0f", v)
}

func (s scale) curve(class string, samples []Sample, value func(int) float64) curve {
	var b strings.Builder
	for i := range samples {
		fmt.Fprintf(&b, "%.1f,%.1f ", s.x(samples[i].Seconds), s.y(value(i)))
	}
	return curve{class, strings.TrimSpace(b.String())}
}

// plots draws what was seen.
func (r *Report) plots() []plot {
	if len(r.Series) < 2 {
		return nil
	}
	seconds := r.Series[len(r.Series)-1].Seconds
	list := []plot{r.plotAcknowledged(seconds), r.plotItems(seconds), r.plotSyncs(seconds), r.plotCopies(seconds)}
	for i := range list {
		for _, m := range r.Timeline {
			if m.Grave || m.Back {
				list[i].Marks = append(list[i].Marks, mark{scale{seconds: seconds}.x(m.Seconds), m.Grave})
			}
		}
	}
	return list
}

func (r *Report) plotAcknowledged(seconds float64) plot {
	last := r.Series[len(r.Series)-1]
	s := scale{seconds, float64(last.Acknowledged)}
	p := plot{Title: "Acknowledged changes", Says: fmt.Sprintf("The book grows from 0 to %d changes. While nothing was served it did not grow.", last.Acknowledged)}
	s.axes(&p, true)
	p.Curves = []curve{s.curve("one", r.Series, func(i int) float64 { return float64(r.Series[i].Acknowledged) })}
	return p
}

// rateOver is over how many samples a rate is taken.
const rateOver = 4

func (r *Report) plotSyncs(seconds float64) plot {
	rates, top := make([]float64, len(r.Series)), 0.0
	for i := range r.Series {
		a, b := &r.Series[max(i-rateOver, 0)], &r.Series[i]
		if d := b.Seconds - a.Seconds; d > 0 {
			rates[i] = float64(b.Syncs-a.Syncs) / d
		}
		top = max(top, rates[i])
	}
	s := scale{seconds, top}
	p := plot{Title: "Syncs of an address book or calendar, each second", Says: fmt.Sprintf("At most %.0f a second; those that failed are among them.", top)}
	s.axes(&p, true)
	p.Curves = []curve{s.curve("one", r.Series, func(i int) float64 { return rates[i] })}
	return p
}

func (r *Report) plotItems(seconds float64) plot {
	top := 0.0
	for _, x := range r.Series {
		for _, n := range x.Holds {
			top = max(top, float64(n))
		}
	}
	s := scale{seconds, top}
	p := plot{Title: "Items on each phone", Says: fmt.Sprintf("One line for each of %d phones; those that were reset, %d, are dashed and fall to nothing at that moment.", len(r.Phones), r.PhonesReset)}
	if r.PhonesEmptied > 0 {
		p.Says += fmt.Sprintf(" Red and thick: those that were emptied, %d.", r.PhonesEmptied)
	}
	s.axes(&p, true)
	for i, phone := range r.Phones {
		class := "many"
		if phone.Reset {
			class = "reset"
		}
		if phone.Emptied > 0 {
			class = "bad"
		}
		p.Curves = append(p.Curves, s.curve(class, r.Series, func(k int) float64 { return float64(r.Series[k].Holds[i]) }))
	}
	return p
}

func (r *Report) plotCopies(seconds float64) plot {
	s := scale{seconds: seconds}
	p := plot{Title: "Which copies there were", Says: "A bar for each copy, while it was there and whole."}
	s.axes(&p, false)
	most := 0
	for _, x := range r.Series {
		most = max(most, x.Vaults)
	}
	add := func(name string, there func(*Sample) bool) {
		b := bar{Name: name, Y: upper + 8 + float64(len(p.Bars))*40}
		for i := range r.Series {
			if !there(&r.Series[i]) {
				continue
			}
			end := seconds
			if i+1 < len(r.Series) {
				end = r.Series[i+1].Seconds
			}
			x := s.x(r.Series[i].Seconds)
			if n := len(b.Segments); n > 0 && i > 0 && there(&r.Series[i-1]) {
				b.Segments[n-1].Width = s.x(end) - b.Segments[n-1].X
				continue
			}
			b.Segments = append(b.Segments, segment{x, s.x(end) - x})
		}
		p.Bars = append(p.Bars, b)
	}
	add("service", func(x *Sample) bool { return x.Engine })
	for n := range most {
		name := "vault"
		if n > 0 {
			name = fmt.Sprintf("vault %d", n+1)
		}
		add(name, func(x *Sample) bool { return x.Vaults > n })
	}
	return p
}
