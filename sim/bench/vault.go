package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// vaultConns is how many connections write where the cost of a vault is measured.
const vaultConns = 32

// vaults measures what a synchronous vault costs, how fast a store is rebuilt from it, and how large it is.
func (b *bench) vaults(ctx context.Context) error {
	var alone, with []float64
	for i := range 2 { // in turns, so that a noisy neighbour hits both
		for _, v := range []struct {
			name  string
			flags []string
			out   *[]float64
		}{{"alone", []string{"--first-vault", "none"}, &alone}, {"vault", nil, &with}} {
			rate, err := b.putRate(ctx, fmt.Sprint(v.name, i), v.flags)
			if err != nil {
				return err
			}
			*v.out = append(*v.out, rate)
		}
	}
	a, w := max(alone[0], alone[1]), max(with[0], with[1])
	b.report.add(figure{Name: fmt.Sprintf("durable PUT, %d connections, no vault", vaultConns), Value: a, Unit: "/s"})
	b.report.add(figure{Name: fmt.Sprintf("durable PUT, %d connections, a vault on the same disk", vaultConns), Value: w, Unit: "/s", Goal: 8000, Note: fmt.Sprintf("costs %.0f %% of the throughput; goal: at most 20 %%", 100*(1-w/a))})
	return b.rebuild(ctx)
}

// putRate writes contacts into a new store.
func (b *bench) putRate(ctx context.Context, name string, flags []string) (float64, error) {
	if err := os.MkdirAll(filepath.Join(b.dir, name), 0o700); err != nil {
		return 0, err
	}
	s, err := server.Start(ctx, server.Options{Bin: b.bin, Data: filepath.Join(b.dir, name, "data"), Flags: flags})
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

// rebuild fills a store, and restores it out of its vault, beside a copy of its files and, where it is installed, restic.
func (b *bench) rebuild(ctx context.Context) error {
	dir := filepath.Join(b.dir, "rebuild")
	data, key := filepath.Join(dir, "data"), filepath.Join(dir, "recovery.txt")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := command(ctx, nil, b.bin, "key", "init", "--data", data, "--out", key); err != nil {
		return err
	}
	s, err := server.Start(ctx, server.Options{Bin: b.bin, Data: data, Flags: nil, Env: map[string]string{"HOLDFAST_VAULT_SEAL": "2s", "HOLDFAST_VAULT_SEGMENT_AGE": "1s"}})
	if err != nil {
		return err
	}
	defer s.Stop()
	accounts, err := s.AddAccounts(ctx, "p", vaultConns)
	if err != nil {
		return err
	}
	changes, raw := int64(0), int64(0)
	for changes < b.restored {
		list, err := writers(ctx, s.Addr, accounts, false)
		if err != nil {
			return err
		}
		r := load.Run(ctx, list, load.Bounds{For: 5 * time.Second})
		hangUp(list)
		if err := good(r); err != nil {
			return err
		}
		changes += r.Done
	}
	raw = changes * 600
	time.Sleep(4 * time.Second) // what is full is sealed
	if err := s.Stop(); err != nil {
		return err
	}
	var rep struct {
		Changes int64   `json:"changes"`
		Seconds float64 `json:"duration_s"`
		Rate    float64 `json:"changes_per_s"`
	}
	var memory int64
	if err := command(ctx, func(out []byte, p *os.ProcessState) error {
		memory = peak(p)
		return json.Unmarshal(out, &rep)
	}, b.bin, "restore", "--json", "--from", filepath.Join(dir, "holdfast-vault"), "--key", key, "--into", filepath.Join(dir, "again")); err != nil {
		return err
	}
	b.report.add(figure{Name: "restored from a vault", Value: rep.Rate, Unit: "changes/s", Goal: 50_000, Note: fmt.Sprintf("%d changes in %.1f s, %d MiB resident at most", rep.Changes, rep.Seconds, memory>>20)})
	size, packs, err := sizeOf(filepath.Join(dir, "holdfast-vault"))
	if err != nil {
		return err
	}
	b.report.add(figure{Name: "sealed, of raw vCards", Value: 100 * float64(packs) / float64(raw), Unit: "%", Note: fmt.Sprintf("packs %d MiB, the whole vault with its tail %d MiB, for %d MiB of vCards; goal: at most 45 %%", packs>>20, size>>20, raw>>20)})
	return b.copies(ctx, data, dir, rep.Changes)
}

// copies copies the database's files as others would.
func (b *bench) copies(ctx context.Context, data, dir string, changes int64) error {
	began := time.Now()
	if err := command(ctx, nil, "sh", "-c", `mkdir "$2" && cp "$1"/holdfast.db* "$2" && sync "$2"/*`, "sh", data, filepath.Join(dir, "copied")); err != nil {
		return err
	}
	b.report.add(figure{Name: "a copy of the database's files with fsync", Value: float64(changes) / time.Since(began).Seconds(), Unit: "changes/s"})
	if _, err := exec.LookPath("restic"); err != nil {
		b.note("restic is not installed: it is not measured")
		return nil
	}
	repo := filepath.Join(dir, "restic")
	env := []string{"RESTIC_PASSWORD=x", "RESTIC_REPOSITORY=" + repo, "RESTIC_CACHE_DIR=" + filepath.Join(dir, "cache")}
	for _, line := range [][]string{{"init", "-q"}, {"backup", "-q", data}} {
		if err := commandEnv(ctx, env, nil, "restic", line...); err != nil {
			return err
		}
	}
	began = time.Now()
	if err := commandEnv(ctx, env, nil, "restic", "restore", "-q", "latest", "--target", filepath.Join(dir, "from-restic")); err != nil {
		return err
	}
	b.report.add(figure{Name: "restic restores the same database's files", Value: float64(changes) / time.Since(began).Seconds(), Unit: "changes/s"})
	return nil
}

func sizeOf(dir string) (all, packs int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			all += i.Size()
			if filepath.Base(filepath.Dir(path)) == "pages" {
				packs += i.Size()
			}
		}
		return err
	})
	return all, packs, err
}

func command(ctx context.Context, fn func([]byte, *os.ProcessState) error, name string, args ...string) error {
	return commandEnv(ctx, nil, fn, name, args...)
}

// commandEnv runs a command, and hands its output to fn.
func commandEnv(ctx context.Context, env []string, fn func([]byte, *os.ProcessState) error, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, errs.Bytes())
	}
	if fn == nil {
		return nil
	}
	return fn(out, cmd.ProcessState)
}
