package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/sim/server"
)

// vaultConns is how many connections write where the cost of a vault is measured.
const vaultConns = 32

// vaults measures what a synchronous vault costs, how fast a store is rebuilt from it, and how large it is.
func (b *bench) vaults(ctx context.Context) error {
	var alone, with, cost []float64
	for i := range b.pairs { // in turns, so that a noisy neighbour hits both; single runs scatter widely
		a, err := b.putRate(ctx, fmt.Sprint("alone", i), []string{"--first-vault", "none"})
		if err != nil {
			return err
		}
		v, err := b.putRate(ctx, fmt.Sprint("vault", i), nil)
		if err != nil {
			return err
		}
		alone, with, cost = append(alone, a), append(with, v), append(cost, 100*(1-v/a))
		b.note("without a vault %s/s, with one %s/s", number(a), number(v))
	}
	b.report.add(figure{Name: fmt.Sprintf("durable PUT, %d connections, no vault", vaultConns), Value: median(alone), Unit: "/s"})
	b.report.add(figure{Name: fmt.Sprintf("durable PUT, %d connections, a vault on the same disk", vaultConns), Value: median(with), Unit: "/s", Goal: 8000})
	b.report.add(figure{Name: "what that vault costs of the throughput", Value: median(cost), Unit: "%", Goal: 20, AtMost: true, Note: fmt.Sprintf("the median of %d pairs of runs: %s", b.pairs, percents(cost))})
	return b.rebuild(ctx)
}

// median returns the middle one; of an even number the lower of both.
func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[(len(list)-1)/2]
}

func percents(list []float64) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprintf("%.0f", v)
	}
	return strings.Join(out, ", ") + " %"
}

// putRate writes contacts into a new store.
func (b *bench) putRate(ctx context.Context, name string, flags []string) (float64, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	s, err := server.Start(ctx, server.Options{Bin: b.bin, Data: filepath.Join(dir, "data"), Flags: flags})
	if err != nil {
		return 0, err
	}
	defer s.Stop()
	accounts, err := s.AddAccounts(ctx, "p", vaultConns)
	if err != nil {
		return 0, err
	}
	r, err := putRun(ctx, s.Addr, accounts, b.each, true)
	return r.PerSecond(), err
}
