package main

import (
	"context"
	"fmt"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// goals of durable PUTs a second, by connections.
var putGoals = map[int]float64{1: 1400, 32: 9000, 128: 12_000}

// warmUp is how long a load runs before it is measured.
const warmUp = 500 * time.Millisecond

// putRun lets every account write contacts over a connection of its own.
func putRun(ctx context.Context, addr string, accounts []load.Account, d time.Duration, strict bool) (load.Result, error) {
	return kindRun(ctx, addr, accounts, load.Contacts(), d, strict)
}

// kindRun is putRun for any kind.
func kindRun(ctx context.Context, addr string, accounts []load.Account, k load.Kind, d time.Duration, strict bool) (load.Result, error) {
	list, err := writers(ctx, addr, accounts, strict)
	if err != nil {
		return load.Result{}, err
	}
	defer hangUp(list)
	for _, w := range list {
		w.Kind = k
	}
	if err := good(load.Run(ctx, list, load.Bounds{For: warmUp})); err != nil {
		return load.Result{}, err
	}
	r := load.Run(ctx, list, load.Bounds{For: d})
	return r, good(r)
}

// good tells whether every request of a run was taken.
func good(r load.Result) error {
	if len(r.Errors) > 0 {
		return r.Errors[0]
	}
	if len(r.Refused) > 0 {
		return fmt.Errorf("refused, by status: %v", r.Refused)
	}
	return nil
}

// puts measures durable PUTs: half creations, half updates, 600 octets.
func (b *bench) puts(ctx context.Context) error {
	s, err := b.start(ctx, "put")
	if err != nil {
		return err
	}
	defer s.Stop()
	accounts, err := s.AddAccounts(ctx, "p", 128)
	if err != nil {
		return err
	}
	for _, n := range []int{1, 8, 32, 128} {
		if err := b.put(ctx, s, accounts[:n]); err != nil {
			return err
		}
	}
	return s.Stop()
}

func (b *bench) put(ctx context.Context, s *server.Server, accounts []load.Account) error {
	list, err := writers(ctx, s.Addr, accounts, true)
	if err != nil {
		return err
	}
	defer hangUp(list)
	if err := good(load.Run(ctx, list, load.Bounds{For: warmUp})); err != nil {
		return err
	}
	before, err := s.CPU()
	if err != nil {
		return err
	}
	own := ownCPU()
	r := load.Run(ctx, list, load.Bounds{For: b.each})
	if err := good(r); err != nil {
		return err
	}
	after, err := s.CPU()
	if err != nil {
		return err
	}
	own = ownCPU() - own
	n := len(accounts)
	f := figure{Name: fmt.Sprintf("durable PUT, %s", connections(n)), Value: r.PerSecond(), Unit: "/s", Goal: putGoals[n]}.latency(&r.Latency)
	switch bare := b.report.bare[n]; {
	case n == 1 && b.report.fsyncs > 0:
		f.beside(r.PerSecond()/b.report.fsyncs, "of the disk's fdatasyncs")
	case bare > 0:
		f.beside(r.PerSecond()/bare, "of the bare handler")
	}
	b.report.add(f)
	if n == 32 {
		b.report.add(figure{Name: "processor time a PUT, 32 connections", Value: micro(after-before) / float64(r.Done), Unit: "µs",
			Note: fmt.Sprintf("the client takes %.0f µs more", micro(own)/float64(r.Done))})
	}
	return nil
}

func micro(d time.Duration) float64 { return float64(d) / 1000 }

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}
