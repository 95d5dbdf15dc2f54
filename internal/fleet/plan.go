package fleet

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// op is what a person does.
type op uint8

const (
	create op = iota
	change
	remove  // delete an item
	offline // the device has no network for a while
	reset   // the account is taken away from the device and set up again
	restart // the program is ended and begun again
)

// act is one thing that a person does on one of his devices. Edits and deletions are numbered; items are, too, in the order of their creation.
type act struct {
	at     time.Duration // of the people's time, since the beginning
	device int
	op     op
	item   int
	edit   int
	lasts  time.Duration // of offline
}

// Rates are how often people do things, each on each device, in their own time.
type Rates struct {
	EditsPerDay   float64       // creations, changes and deletions
	Deletions     float64       // of these, the share that are deletions
	Creations     float64       // and the share that are creations
	OfflinePerDay float64       // spells without network
	Offline       time.Duration // how long one lasts, on average
	ResetEvery    time.Duration // devices set up anew, on average
	RestartEvery  time.Duration // programs started again
	Items         int           // contacts, and as many events, that each person begins with
}

// DefaultRates are those of people who use what they have: some edits a day on each device, a ride without network, and now and then a device that is set up again.
func DefaultRates() Rates {
	const day = 24 * time.Hour
	return Rates{EditsPerDay: 6, Deletions: 0.15, Creations: 0.35, OfflinePerDay: 2, Offline: 45 * time.Minute, ResetEvery: 60 * day, RestartEvery: day, Items: 10}
}

// MaxActs bounds the plan of all people together, and with it memory.
const MaxActs = 2_000_000

// expected is how many acts one device's plan has, about.
func (r Rates) expected(life time.Duration) float64 {
	days := life.Hours() / 24
	n := days * (r.EditsPerDay + r.OfflinePerDay)
	for _, every := range []time.Duration{r.ResetEvery, r.RestartEvery} {
		if every > 0 {
			n += life.Hours() / every.Hours()
		}
	}
	return n
}

// planner makes one person's plan. All of it follows from the seed.
type planner struct {
	rand  *rand.Rand
	kinds []Kind
	acts  []act
	kind  []bool // of each item: it is a contact
	alive [2][]int
	edits int
}

// plan gives what a person does in the first while of people's time: with the same seed the same.
func plan(seed uint64, person int, kinds []Kind, r Rates, life time.Duration) *planner {
	p := &planner{rand: rand.New(rand.NewPCG(seed, uint64(person))), kinds: kinds}
	p.begin(r.Items)
	first := len(p.acts)
	for device := range kinds {
		own := rand.New(rand.NewPCG(seed, uint64(person)<<20|uint64(device)|1<<60))
		p.times(own, device, life, r.EditsPerDay/24/float64(time.Hour), change, 0)
		p.times(own, device, life, r.OfflinePerDay/24/float64(time.Hour), offline, r.Offline)
		p.times(own, device, life, perNanosecond(r.ResetEvery), reset, 0)
		p.times(own, device, life, perNanosecond(r.RestartEvery), restart, 0)
	}
	slices.SortStableFunc(p.acts[first:], func(a, b act) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.device, b.device)) })
	for i := first; i < len(p.acts); i++ {
		if p.acts[i].op == change {
			p.choose(&p.acts[i], r)
		}
	}
	return p
}

func perNanosecond(every time.Duration) float64 {
	if every <= 0 {
		return 0
	}
	return 1 / float64(every)
}

// begin plans what a person has at first: the first device that can, makes it.
func (p *planner) begin(items int) {
	for _, contacts := range []bool{true, false} {
		device := slices.IndexFunc(p.kinds, func(k Kind) bool { return habitsOf(k).takes(contacts) })
		for range items {
			if device >= 0 {
				a := act{device: device}
				p.create(&a, contacts)
				p.acts = append(p.acts, a)
			}
		}
	}
}

func (h habits) takes(contacts bool) bool { return contacts && h.contacts || !contacts && h.events }

// times plans when something happens on a device: as often on average, at no time more likely than at another.
func (p *planner) times(own *rand.Rand, device int, life time.Duration, rate float64, what op, mean time.Duration) {
	if rate <= 0 {
		return
	}
	for at := own.ExpFloat64() / rate; at < float64(life); at += own.ExpFloat64() / rate {
		a := act{at: time.Duration(at), device: device, op: what}
		if mean > 0 {
			a.lasts = time.Duration(own.ExpFloat64() * float64(mean))
		}
		p.acts = append(p.acts, a)
	}
}

// choose decides what an edit is, and of what.
func (p *planner) choose(a *act, r Rates) {
	h := habitsOf(p.kinds[a.device])
	contacts := h.contacts
	if h.contacts && h.events {
		contacts = p.rand.IntN(2) == 0
	}
	alive := &p.alive[index(contacts)]
	x, which := p.rand.Float64(), p.rand.IntN(max(len(*alive), 1))
	if x < r.Creations || len(*alive) == 0 {
		p.create(a, contacts)
		return
	}
	a.op, a.item, a.edit = change, (*alive)[which], p.edits
	p.edits++
	if x >= 1-r.Deletions {
		a.op = remove
		*alive = slices.Delete(*alive, which, which+1)
	}
}

func (p *planner) create(a *act, contacts bool) {
	a.op, a.item, a.edit = create, len(p.kind), p.edits
	p.edits++
	p.kind = append(p.kind, contacts)
	p.alive[index(contacts)] = append(p.alive[index(contacts)], a.item)
}

func index(contacts bool) int {
	if contacts {
		return 0
	}
	return 1
}
