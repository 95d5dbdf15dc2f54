package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// vaultConns is how many connections write where the cost of a vault is measured.
const vaultConns = 32

// vaults measures what a synchronous vault costs, how fast a store is rebuilt from it, and how large it is.
func (b *bench) vaults(ctx context.Context) error {
	var alone, with, cost, used []float64
	for i := range b.pairs { // in turns, so that a noisy neighbour hits both; single runs scatter widely
		a, bare, err := b.putRate(ctx, fmt.Sprint("alone", i), []string{"--first-vault", "none"})
		if err != nil {
			return err
		}
		v, full, err := b.putRate(ctx, fmt.Sprint("vault", i), nil)
		if err != nil {
			return err
		}
		alone, with, cost, used = append(alone, a), append(with, v), append(cost, 100*(1-v/a)), append(used, full-bare)
		b.note("without a vault %s/s and %.0f µs of the processor each, with one %s/s and %.0f µs", number(a), bare, number(v), full)
	}
	b.report.add(figure{Name: fmt.Sprintf("durable PUT, %d connections, no vault", vaultConns), Value: median(alone), Unit: "/s"})
	b.report.add(figure{Name: fmt.Sprintf("durable PUT, %d connections, a vault on the same disk", vaultConns), Value: median(with), Unit: "/s", Goal: 8000})
	b.report.add(figure{Name: "what that vault costs of the throughput", Value: median(cost), Unit: "%", Goal: 20, AtMost: true, Note: fmt.Sprintf("the median of %d pairs of runs: %s", b.pairs, percents(cost))})
	b.report.add(figure{Name: "processor time that it adds to a PUT", Value: median(used), Unit: "µs", Note: "the median of the same pairs"})
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

// putRate writes contacts into a new store. It returns how many a second, and the server's processor time for each, in µs.
func (b *bench) putRate(ctx context.Context, name string, flags []string) (rate, used float64, err error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	s, err := server.Start(ctx, server.Options{Bin: b.bin, Data: filepath.Join(dir, "data"), Flags: flags})
	if err != nil {
		return 0, 0, err
	}
	defer s.Stop()
	accounts, err := s.AddAccounts(ctx, "p", vaultConns)
	if err != nil {
		return 0, 0, err
	}
	list, err := writers(ctx, s.Addr, accounts, true)
	if err != nil {
		return 0, 0, err
	}
	defer hangUp(list)
	if err := good(load.Run(ctx, list, load.Bounds{For: warmUp})); err != nil {
		return 0, 0, err
	}
	before, err := s.CPU()
	if err != nil {
		return 0, 0, err
	}
	r := load.Run(ctx, list, load.Bounds{For: b.each})
	if err := good(r); err != nil {
		return 0, 0, err
	}
	after, err := s.CPU()
	return r.PerSecond(), micro(after-before) / float64(r.Done), err
}
