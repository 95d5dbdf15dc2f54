package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"holdfast/internal/clock"
)

// The first phone of each person takes photos and short films, and sends them as programs do that copy them away: each again until it is acknowledged. Most are larger than what a service keeps in its database. What was taken can be made again from its number, so that no phone must keep it.

// Sizes of photos in octets, and how many times a person sends one between the beginning and the disaster.
const (
	leastPhoto  = 20 << 10
	largePhoto  = 400 << 10
	photosTaken = 4
)

// gallery is what one person's photos are.
type gallery struct {
	r    *rehearsal
	who  int // of the people
	rand *rand.Rand

	mu     sync.Mutex
	taken  int
	photos map[string]uint64 // by name: the number of what was acknowledged last
}

func (r *rehearsal) galleries() {
	for i := range r.accounts {
		r.photos = append(r.photos, &gallery{r: r, who: i, rand: rand.New(rand.NewPCG(r.o.Seed, uint64(1000+i))), photos: map[string]uint64{}})
	}
}

// photo makes a photo's octets.
func (g *gallery) photo(number uint64) []byte {
	noise := rand.New(rand.NewPCG(g.r.o.Seed<<20|uint64(g.who), number))
	b := make([]byte, leastPhoto+noise.IntN(largePhoto))
	c := rand.NewChaCha8([32]byte{byte(number), byte(number >> 8), byte(g.who), byte(g.r.o.Seed), 9})
	_, _ = c.Read(b)
	return b
}

// work takes photos until while ends. What is on its way then is sent to its end, or ends with ctx.
func (g *gallery) work(ctx, while context.Context) error {
	every := g.r.o.Pace.Before / photosTaken
	for {
		g.mu.Lock()
		pause := every/2 + time.Duration(g.rand.Int64N(int64(every)))
		g.mu.Unlock()
		if clock.Sleep(while, g.r.o.Clock, pause) != nil {
			return context.Cause(ctx)
		}
		if err := g.one(ctx, while); err != nil {
			return err
		}
	}
}

// one does one thing: mostly a new photo, sometimes a photo is edited or deleted.
func (g *gallery) one(ctx, while context.Context) error {
	g.mu.Lock()
	names := make([]string, 0, len(g.photos))
	for name := range g.photos {
		names = append(names, name)
	}
	slices.Sort(names)
	g.taken++
	number, what := uint64(g.taken), g.rand.IntN(8)
	name := fmt.Sprintf("IMG_%04d.jpg", number)
	if what < 2 && len(names) > 2 {
		name = names[g.rand.IntN(len(names))]
	}
	g.mu.Unlock()
	method, body := http.MethodPut, g.photo(number)
	if what == 0 && len(names) > 2 {
		method, body = http.MethodDelete, nil
	}
	for {
		done, err := g.send(ctx, method, name, body)
		if err != nil {
			return err
		}
		if done {
			break
		}
		if clock.Sleep(while, g.r.o.Clock, g.r.o.Pace.Before/20) != nil { // nobody acknowledged it: it is no promise
			return g.forget(ctx, name)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.photos[name] = number; method == http.MethodDelete {
		delete(g.photos, name)
	}
	return nil
}

// forget leaves a photo out of the last comparison that was sent and not acknowledged: either of two is right.
func (g *gallery) forget(ctx context.Context, name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.photos, name)
	return context.Cause(ctx)
}

func (g *gallery) href(name string) string {
	return "/dav/files/" + g.r.accounts[g.who].login + "/Photos/" + name
}

// send sends a change, and tells whether it was acknowledged.
func (g *gallery) send(ctx context.Context, method, name string, body []byte) (bool, error) {
	within, cancel := clock.WithTimeout(ctx, g.r.o.Clock, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(within, method, g.r.service.url()+g.href(name), bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("send a photo: %w", err)
	}
	a := g.r.accounts[g.who]
	req.SetBasicAuth(a.login, a.passwords[0])
	res, err := g.r.book.RoundTrip(req)
	if err != nil {
		return false, context.Cause(ctx) // the service is away
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxItem))
	switch {
	case err != nil && ctx.Err() != nil:
		return false, context.Cause(ctx)
	case res.StatusCode < 300:
		return true, nil
	case res.StatusCode == http.StatusNotFound && method == http.MethodDelete: // an answer got lost
		return true, nil
	}
	return false, nil
}

// restoreAll is what a phone does that is set up anew: it gets all photos of its person, and compares each with what was taken, octet for octet.
func (g *gallery) restoreAll(ctx context.Context) (got, different int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, number := range g.photos {
		same, err := g.compare(ctx, name, g.photo(number))
		if err != nil {
			return got, different, err
		}
		if got++; !same {
			different++
		}
	}
	return got, different, nil
}

func (g *gallery) compare(ctx context.Context, name string, want []byte) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.r.service.url()+g.href(name), nil)
	if err != nil {
		return false, fmt.Errorf("read back %s: %w", name, err)
	}
	a := g.r.accounts[g.who]
	req.SetBasicAuth(a.login, a.passwords[0])
	res, err := g.r.net.RoundTrip(req)
	if err != nil {
		return false, fmt.Errorf("read back %s: %w", name, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxItem))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, fmt.Errorf("read back %s: %w", name, err)
	}
	return res.StatusCode == http.StatusOK && bytes.Equal(b, want), nil
}

// Photos is what came of them.
type Photos struct {
	Compared  int `json:"compared"` // that were acknowledged and are there, got once more at the end by a phone that is set up anew
	Different int `json:"different"`
	Phones    int `json:"phones"`
}

// comparePhotos has each person's phone get all photos once more.
func (r *rehearsal) comparePhotos(ctx context.Context) error {
	out := &Photos{Phones: len(r.photos)}
	for _, g := range r.photos {
		got, different, err := g.restoreAll(ctx)
		if err != nil {
			return err
		}
		out.Compared, out.Different = out.Compared+got, out.Different+different
	}
	r.report.Photos = out
	r.tell("%d photos and films were got once more and compared octet for octet; different or missing: %d", out.Compared, out.Different)
	return nil
}
