package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/scrub"
	"holdfast/internal/vault"
)

// metered counts the octets that are read of a place, and is told so after each of them.
type metered struct {
	place.Place
	mu   sync.Mutex
	read int64
	each func(total, n int64)
}

func (m *metered) took(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read += int64(n)
	m.each(m.read, int64(n))
}

func (m *metered) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	r, err := m.Place.Get(ctx, name, at, n)
	return meter{r, m}, err
}

// ReadMany reads as a remote place does: small objects whole, many in one answer.
func (m *metered) ReadMany(ctx context.Context, prefix, after string, fn func(place.Info, []byte) error) error {
	return m.Place.List(ctx, prefix, after, func(i place.Info) error {
		if i.Size > 64<<10 {
			return fn(i, nil)
		}
		b, err := place.ReadAll(ctx, m.Place, i.Name, 64<<10)
		if err != nil {
			return err
		}
		m.took(len(b))
		return fn(i, b)
	})
}

type meter struct {
	io.ReadCloser
	m *metered
}

func (r meter) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.m.took(n)
	return n, err
}

// TestAVaultIsReadAtTheRate: a reading of a whole vault keeps to the rate at each moment, but for what is read at once; and a clock that is put forth or back by years neither lets it run nor holds it up.
func TestAVaultIsReadAtTheRate(t *testing.T) {
	o := opening(t, testConfig(t))
	defer o.close()
	for i := range 60 {
		if _, _, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, fmt.Sprintf("p%d@example.org", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	e := o.keeper.vaults().Vaults[0]
	for _, years := range []int{0, 10, -10} {
		const rate = 16 << 10
		c := clock.NewFake(time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC))
		passing(t, c)
		began, once, jumped := c.Now(), int64(0), false
		p := &scrub.Pacer{Clock: c, Rate: rate}
		m := &metered{}
		m.each = func(total, n int64) {
			once = max(once, n)
			since := c.Now().Sub(began)
			if allowed := since.Seconds()*rate + float64(3*once); float64(total) > allowed {
				t.Errorf("%d years: %d octets after %v, the rate allows %.0f", years, total, since, allowed)
			}
			if total > 16<<10 && !jumped && years != 0 { // the rate holds on either side of the jump
				jumped = true
				c.Set(c.Now().AddDate(years, 0, 0))
				began = began.AddDate(years, 0, 0)
			}
		}
		v, err := o.keeper.openDamagedAt(t.Context(), e, func(under place.Place) place.Place { m.Place = under; return pacedPlace{m, p} })
		if err != nil {
			t.Fatal(err)
		}
		r, err := vault.NewReader(t.Context(), []*vault.Vault{v}, vault.ReadOptions{Spool: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Accounts(t.Context(), func(h *vault.History) error {
			return h.Changes(t.Context(), func([]vault.Loaded) error { return nil })
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Survey(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Close()
		v.Close()
		took := c.Now().Sub(began)
		if m.read < 3*rate || took > time.Duration(float64(m.read)/rate*1.2*float64(time.Second))+time.Second {
			t.Errorf("%d years: %d octets took %v", years, m.read, took)
		}
	}
}

// passing lets time pass whenever somebody waits for it.
func passing(t *testing.T, c *clock.Fake) {
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			if c.Pending() > 0 {
				c.Advance(time.Millisecond)
			} else {
				time.Sleep(10 * time.Microsecond)
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}
