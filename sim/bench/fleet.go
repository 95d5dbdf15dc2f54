package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"holdfast/internal/fleet"
	"holdfast/sim/server"
)

// fleets measures how many syncs a second the server stands of phones and programs that have nothing new to send: what it does all day.
func (b *bench) fleets(ctx context.Context) error {
	s, err := b.start(ctx, "fleet")
	if err != nil {
		return err
	}
	defer s.Stop()
	kinds := fleet.Kinds()
	people := b.fleet / len(kinds)
	list, err := s.AddPeople(ctx, "f", people, len(kinds))
	if err != nil {
		return err
	}
	o := fleet.Options{URL: "http://" + s.Addr, Seed: 1, Speed: 1, Life: 3 * b.each, Rates: fleet.Rates{Items: 10}, FlatOut: true}
	for _, a := range list {
		o.Credentials = append(o.Credentials, fleet.Credential{Login: a.Email, Password: a.Password})
	}
	for _, k := range kinds {
		o.Clients = append(o.Clients, fleet.Count{Kind: k, N: people})
	}
	f, err := fleet.New(o)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.SetUp(ctx); err != nil {
		return err
	}
	server0, client0, err := processors(s)
	if err != nil {
		return err
	}
	syncs := f.Progress().Syncs
	if err := f.SyncFlatOut(ctx, o.Life); err != nil {
		return err
	}
	server1, client1, err := processors(s)
	if err != nil {
		return err
	}
	syncs = f.Progress().Syncs - syncs
	r, err := f.Judge(ctx)
	if err != nil {
		return err
	}
	if !r.Good() || r.SyncsFailed > 0 {
		return fmt.Errorf("%d edits lost, %d items vanished, %d syncs failed: %v", r.EditsLost, r.DeletionsNoUserMade, r.SyncsFailed, r.Errors)
	}
	b.report.add(figure{Name: "syncs with nothing new, " + thousands(len(o.Credentials)) + " devices of five kinds", Value: r.SyncsPerS, Unit: "/s", Goal: 2000,
		Note: fmt.Sprintf("of one collection; p50 %.1f ms, p99 %.1f ms, 64 requests at once; processor for each: %.0f µs server, %.0f µs clients", r.SyncLatency.P50, r.SyncLatency.P99,
			float64((server1-server0).Microseconds())/float64(max(syncs, 1)), float64((client1-client0).Microseconds())/float64(max(syncs, 1)))})
	return s.Stop()
}

// processors tells how much processor time the server and this process have used.
func processors(s *server.Server) (of, own time.Duration, err error) {
	if of, err = s.CPU(); err == nil {
		own, err = server.CPUOf(os.Getpid())
	}
	return of, own, err
}
