package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"holdfast/sim/server"
)

// drilled is what `holdfast drill run --json` prints, as far as it is measured.
type drilled struct {
	Result  string   `json:"result"`
	Reasons []string `json:"reasons"`
	Changes struct {
		Restored int64 `json:"restored"`
	} `json:"changes"`
	Seconds float64 `json:"duration_s"`
	Rate    float64 `json:"changes_per_s"`
}

// drills measures drills alone, at several sizes of the store.
func (b *bench) drills(ctx context.Context) error {
	r, err := b.newRebuilding(ctx)
	if err != nil {
		return err
	}
	for _, n := range b.restored {
		if err := r.fill(ctx, n); err != nil {
			return err
		}
		if err := r.drill(ctx); err != nil {
			return err
		}
	}
	return nil
}

// quietly starts the server on the store, so that it drills only when it is asked to.
func (r *rebuilding) quietly(ctx context.Context) (*server.Server, error) {
	return server.Start(ctx, server.Options{Bin: r.b.bin, Data: r.data, Env: map[string]string{"HOLDFAST_DRILL_FIRST": "24h"}})
}

// drill drills the vault of the store as it is now.
func (r *rebuilding) drill(ctx context.Context) error {
	s, err := r.quietly(ctx)
	if err != nil {
		return err
	}
	defer s.Stop()
	before, err := s.Memory()
	if err == nil {
		err = s.ResetPeak()
	}
	if err != nil {
		return err
	}
	d, err := r.drillOnce(ctx)
	if err != nil {
		return err
	}
	after, err := s.Memory()
	if err != nil {
		return err
	}
	f := figure{Name: fmt.Sprintf("a drill of %s changes", number(float64(d.Changes.Restored))), Value: d.Seconds, Unit: "s",
		Note: fmt.Sprintf("%s changes/s; the server resident: %d MiB before, %d at most", number(d.Rate), before.Resident>>20, after.Peak>>20)}
	if d.Changes.Restored >= 1_000_000 {
		f.Goal, f.AtMost = 60, true
	}
	r.b.report.add(f)
	return s.Stop()
}

// drillBeside measures how many changes are taken while a drill runs, beside as many as without one, in turns.
func (r *rebuilding) drillBeside(ctx context.Context) error {
	s, err := r.quietly(ctx)
	if err != nil {
		return err
	}
	defer s.Stop()
	var share []float64
	for range r.b.pairs {
		alone, err := putRun(ctx, s.Addr, r.accounts, r.b.each, false)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			for ctx.Err() == nil {
				if _, err := r.drillOnce(ctx); err != nil && ctx.Err() == nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
		time.Sleep(200 * time.Millisecond)
		beside, err := putRun(ctx, s.Addr, r.accounts, r.b.each, false)
		cancel()
		if derr := <-ended; err == nil {
			err = derr
		}
		if err != nil {
			return err
		}
		r.changes += alone.Done + beside.Done
		share = append(share, 100*beside.PerSecond()/alone.PerSecond())
	}
	r.b.report.add(figure{Name: fmt.Sprintf("durable PUT while a drill runs, %d connections, of what it is without", vaultConns), Value: median(share), Unit: "%", Goal: 70,
		Note: fmt.Sprintf("the median of %d pairs of runs: %s", r.b.pairs, percents(share))})
	return nil
}

func (r *rebuilding) drillOnce(ctx context.Context) (d drilled, err error) {
	err = command(ctx, func(out []byte, _ *os.ProcessState) error { return json.Unmarshal(out, &d) }, r.b.bin, "drill", "run", "--all", "--json", "--data", r.data)
	if err == nil && d.Result != "pass" {
		err = fmt.Errorf("the drill came out as %s: %q", d.Result, d.Reasons)
	}
	return d, err
}
