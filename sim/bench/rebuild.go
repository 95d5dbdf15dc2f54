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
	"strings"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// rebuilding is a store that grows, and is restored out of its vault at several sizes.
type rebuilding struct {
	b         *bench
	dir, data string
	key       string
	accounts  []load.Account
	changes   int64
}

// newRebuilding makes a store with a recovery key, and nothing in it.
func (b *bench) newRebuilding(ctx context.Context) (*rebuilding, error) {
	dir, err := os.MkdirTemp(b.dir, "rebuild-")
	if err != nil {
		return nil, err
	}
	r := &rebuilding{b: b, dir: dir, data: filepath.Join(dir, "data"), key: filepath.Join(dir, "recovery.txt")}
	return r, command(ctx, nil, b.bin, "key", "init", "--data", r.data, "--out", r.key)
}

// rebuild fills a store, and restores it out of its vault: its speed, and its memory, which must not grow with the changes. Beside it, a copy of the database's files and, where it is installed, restic.
func (b *bench) rebuild(ctx context.Context) error {
	r, err := b.newRebuilding(ctx)
	if err != nil {
		return err
	}
	for i, n := range b.restored {
		if err := r.fill(ctx, n); err != nil {
			return err
		}
		if err := r.restore(ctx, i == len(b.restored)-1); err != nil {
			return err
		}
		if err := r.drill(ctx); err != nil {
			return err
		}
	}
	if err := r.drillBeside(ctx); err != nil {
		return err
	}
	if err := r.size(); err != nil {
		return err
	}
	return r.copies(ctx)
}

// fill writes contacts until there are n changes at least, and lets what is full be sealed.
func (r *rebuilding) fill(ctx context.Context, n int64) error {
	s, err := server.Start(ctx, server.Options{Bin: r.b.bin, Data: r.data, Env: map[string]string{"HOLDFAST_VAULT_SEAL": "2s", "HOLDFAST_VAULT_SEGMENT_AGE": "1s"}})
	if err != nil {
		return err
	}
	defer s.Stop()
	if r.accounts == nil {
		if r.accounts, err = s.AddAccounts(ctx, "p", vaultConns); err != nil {
			return err
		}
	}
	for r.changes < n {
		list, err := writers(ctx, s.Addr, r.accounts, false)
		if err != nil {
			return err
		}
		done := load.Run(ctx, list, load.Bounds{For: 2 * time.Second})
		hangUp(list)
		if err := good(done); err != nil {
			return err
		}
		r.changes += done.Done
	}
	time.Sleep(4 * time.Second) // what is full is sealed
	return s.Stop()
}

// restore restores once. The goal is judged at the largest size.
func (r *rebuilding) restore(ctx context.Context, last bool) error {
	var rep struct {
		Changes int64   `json:"changes"`
		Seconds float64 `json:"duration_s"`
		Rate    float64 `json:"changes_per_s"`
	}
	var memory int64
	into := filepath.Join(r.dir, "again")
	defer os.RemoveAll(into)
	began := time.Now()
	if err := command(ctx, func(out []byte, p *os.ProcessState) error {
		memory = peak(p)
		return json.Unmarshal(out, &rep)
	}, r.b.bin, "restore", "--json", "--from", filepath.Join(r.dir, "holdfast-vault"), "--key", r.key, "--into", into); err != nil {
		return err
	}
	f := figure{Name: fmt.Sprintf("restored from a vault, %s changes", number(float64(rep.Changes))), Value: rep.Rate, Unit: "changes/s",
		Note: fmt.Sprintf("in %.1f s, with its indexes and the last fsync in %.1f s; %d MiB resident at most", rep.Seconds, time.Since(began).Seconds(), memory>>20)}
	if last {
		f.Goal = 50_000
	}
	r.b.report.add(f)
	return nil
}

// size tells how large packs are beside what was put. What heads have replaced is told apart: it stays for some days, and counts for nothing.
func (r *rebuilding) size() error {
	vault := filepath.Join(r.dir, "holdfast-vault")
	replaced, err := replacedPacks(vault)
	if err != nil {
		return err
	}
	all, live, old, err := sizeOf(vault, replaced)
	if err != nil {
		return err
	}
	raw := r.changes * load.CardSize
	r.b.report.add(figure{Name: "sealed, of raw vCards", Value: 100 * float64(live) / float64(raw), Unit: "%", Goal: 45, AtMost: true,
		Note: fmt.Sprintf("packs %s of %s MiB; for some days besides: packs that were joined %s MiB, the tail; all of it %s MiB", mebi(live), mebi(raw), mebi(old), mebi(all))})
	return nil
}

func mebi(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }

// replacedPacks returns the packs that heads say others have taken the place of.
func replacedPacks(vault string) (map[string]bool, error) {
	out := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(vault, "heads"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		line, _, _ := bytes.Cut(b, []byte("\n"))
		var head struct {
			Packs []struct {
				Replaces []string `json:"replaces"`
			} `json:"packs"`
		}
		if err := json.Unmarshal(line, &head); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, p := range head.Packs {
			for _, name := range p.Replaces {
				out[filepath.Base(name)] = true
			}
		}
		return nil
	})
	return out, err
}

// copies saves and brings back the database's files as others would.
func (r *rebuilding) copies(ctx context.Context) error {
	timed := func(name string, env []string, prog string, args ...string) error {
		began := time.Now()
		if err := commandEnv(ctx, env, nil, prog, args...); err != nil {
			return err
		}
		r.b.report.add(figure{Name: name, Value: float64(r.changes) / time.Since(began).Seconds(), Unit: "changes/s"})
		return nil
	}
	if err := timed("a copy of the database's files with fsync", nil, "sh", "-c", `mkdir "$2" && cp "$1"/holdfast.db* "$2" && sync "$2"/*`, "sh", r.data, filepath.Join(r.dir, "copied")); err != nil {
		return err
	}
	if _, err := exec.LookPath("restic"); err != nil {
		r.b.report.add(figure{Name: "restic", Unit: "changes/s", Note: "absent: it is not measured (apt-get install restic)"})
		return nil
	}
	repo := filepath.Join(r.dir, "restic")
	env := []string{"RESTIC_PASSWORD=x", "RESTIC_REPOSITORY=" + repo, "RESTIC_CACHE_DIR=" + filepath.Join(r.dir, "cache")}
	if err := commandEnv(ctx, env, nil, "restic", "init", "-q"); err != nil {
		return err
	}
	if err := timed("restic saves the same database's files", env, "restic", "backup", "-q", r.data); err != nil {
		return err
	}
	return timed("restic restores them", env, "restic", "restore", "-q", "latest", "--target", filepath.Join(r.dir, "from-restic"))
}

// sizeOf sums up a vault: everything, packs that count, and packs that were replaced.
func sizeOf(dir string, replaced map[string]bool) (all, live, old int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		all += i.Size()
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		switch {
		case filepath.Base(filepath.Dir(path)) != "pages":
		case replaced[name]:
			old += i.Size()
		default:
			live += i.Size()
		}
		return nil
	})
	return all, live, old, err
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
