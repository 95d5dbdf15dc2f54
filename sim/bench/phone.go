package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// perGet is how many contacts a phone asks for at once.
const perGet = 100

// phones measures what a phone waits for: its first sync, and what changed later.
func (b *bench) phones(ctx context.Context) error {
	s, err := b.start(ctx, "phone")
	if err != nil {
		return err
	}
	defer s.Stop()
	for _, n := range b.contacts {
		accounts, err := s.AddAccounts(ctx, fmt.Sprintf("c%d-", n), 1)
		if err != nil {
			return err
		}
		if err := fill(ctx, s.Addr, accounts[0], n); err != nil {
			return err
		}
		if n == b.contacts[0] {
			if err := b.newPhone(ctx, s, accounts[0], n); err != nil {
				return err
			}
		}
		if err := b.changes(ctx, s, accounts[0], n); err != nil {
			return err
		}
	}
	return s.Stop()
}

// creator makes contacts and nothing else.
func creator(w *load.Writer) func() (int, error) {
	return w.Create
}

// fill puts n contacts into one address book, over eight connections.
func fill(ctx context.Context, addr string, a load.Account, n int) error {
	list, err := writers(ctx, addr, slices.Repeat([]load.Account{a}, 8), false)
	if err != nil {
		return err
	}
	defer hangUp(list)
	steps := make([]func() (int, error), len(list))
	for i, w := range list {
		steps[i] = creator(w)
	}
	return good(load.Drive(ctx, steps, load.Bounds{Count: int64(n)}))
}

// fetched is one first sync of a new phone.
type fetched struct {
	list, all time.Duration
	octets    int
}

// fetchAll lists an address book and gets every contact.
func fetchAll(ctx context.Context, addr string, a load.Account, n int) (f fetched, err error) {
	return fetchKind(ctx, addr, a, load.Contacts(), n)
}

// fetchKind is fetchAll for any kind.
func fetchKind(ctx context.Context, addr string, a load.Account, k load.Kind, n int) (f fetched, err error) {
	c, err := load.Dial(ctx, addr, time.Now().Add(time.Hour))
	if err != nil {
		return f, err
	}
	defer c.Close()
	p := &load.Phone{Conn: c, Account: a, Kind: k}
	start := time.Now()
	members, err := p.List()
	if err != nil {
		return f, err
	}
	f.list = time.Since(start)
	got := 0
	for part := range slices.Chunk(members, perGet) {
		cards, octets, err := p.Fetch(part)
		if err != nil {
			return f, err
		}
		got, f.octets = got+cards, f.octets+octets
	}
	f.all = time.Since(start)
	if got != n {
		return f, fmt.Errorf("%d of %d resources came", got, n)
	}
	return f, nil
}

func (b *bench) newPhone(ctx context.Context, s *server.Server, a load.Account, n int) error {
	before, err := s.Memory()
	if err == nil {
		err = s.ResetPeak()
	}
	if err != nil {
		return err
	}
	var runs []fetched
	for range 5 {
		f, err := fetchAll(ctx, s.Addr, a, n)
		if err != nil {
			return err
		}
		runs = append(runs, f)
	}
	after, err := s.Memory()
	if err != nil {
		return err
	}
	slices.SortFunc(runs, func(x, y fetched) int { return int(x.all - y.all) })
	mid := runs[len(runs)/2]
	b.report.add(figure{Name: thousands(n) + " contacts to a new phone, one connection", Value: mid.all.Seconds(), Unit: "s", Goal: 0.4, AtMost: true,
		Note: fmt.Sprintf("listing %.0f ms, the rest in multigets of %d, %.1f MiB; best of 5: %.3f s", float64(mid.list.Microseconds())/1000, perGet, float64(mid.octets)/(1<<20), runs[0].all.Seconds())})
	b.report.add(figure{Name: "memory of the server at its highest meanwhile", Value: mib(after.Peak), Unit: "MiB", Note: fmt.Sprintf("%.1f MiB before", mib(before.Resident))})
	return nil
}

// changes measures sync-collection after ten changes.
func (b *bench) changes(ctx context.Context, s *server.Server, a load.Account, n int) error {
	h, err := syncTen(ctx, s.Addr, a, b.rounds)
	if err != nil {
		return err
	}
	b.report.add(figure{Name: "ten changes among " + thousands(n) + ", sync-collection", Value: float64(h.Quantile(0.5).Nanoseconds()) / 1e6, Unit: "ms", Goal: 1, AtMost: true,
		Note: fmt.Sprintf("median of %d, p99 %.2f ms", h.Count(), float64(h.Quantile(0.99).Nanoseconds())/1e6)})
	return nil
}

// syncTen makes ten changes and times how a phone learns of them, many times.
func syncTen(ctx context.Context, addr string, a load.Account, rounds int) (h load.Histogram, err error) {
	list, err := writers(ctx, addr, []load.Account{a, a}, false)
	if err != nil {
		return h, err
	}
	defer hangUp(list)
	p := &load.Phone{Conn: list[1].Conn, Account: a}
	if _, err := p.Changes(); err != nil {
		return h, err
	}
	for range rounds {
		for range 10 {
			if status, err := list[0].Create(); err != nil || status >= 300 {
				return h, fmt.Errorf("PUT: %d, %w", status, err)
			}
		}
		start := time.Now()
		got, err := p.Changes()
		if err != nil {
			return h, err
		}
		h.Add(time.Since(start))
		if len(got) != 10 {
			return h, fmt.Errorf("%d changes came, not 10", len(got))
		}
	}
	return h, nil
}

// idle measures the memory of a server that has nothing to do: after its start, and after every account's phone looked in.
func (b *bench) idle(ctx context.Context) error {
	s, err := b.start(ctx, "idle")
	if err != nil {
		return err
	}
	accounts, err := s.AddAccounts(ctx, "i", b.accounts)
	if err == nil {
		err = s.Stop()
	}
	if err != nil {
		s.Kill()
		return err
	}
	if s, err = b.start(ctx, "idle"); err != nil {
		return err
	}
	defer s.Stop()
	rest := func(name string) error {
		time.Sleep(2 * time.Second)
		m, err := s.Memory()
		b.report.add(figure{Name: name, Value: mib(m.Resident), Unit: "MiB", Goal: 60, AtMost: true})
		return err
	}
	if err := rest("resident memory, idle, " + thousands(b.accounts) + " accounts"); err != nil {
		return err
	}
	for _, a := range accounts {
		if _, err := fetchAll(ctx, s.Addr, a, 0); err != nil {
			return err
		}
	}
	if err := rest("… after the phone of each has synced"); err != nil {
		return err
	}
	return s.Stop()
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
