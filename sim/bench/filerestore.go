package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/sim/server"
)

// filesRestored measures the way back of files out of a vault on the same disk, beside a plain copy of the same octets with fsync.
func (b *bench) filesRestored(ctx context.Context, p *pool) error {
	dir := filepath.Join(b.dir, "files-back")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data, key := filepath.Join(dir, "data"), filepath.Join(dir, "recovery.txt")
	if err := command(ctx, nil, b.bin, "key", "init", "--data", data, "--out", key); err != nil {
		return err
	}
	list := newFiles(p, b.fileCount, b.fileSize)
	if err := b.filesKept(ctx, data, list); err != nil {
		return err
	}
	var back, beside []float64
	var memory int64
	for range b.fileRounds {
		rate, err := b.filesPlain(ctx, filepath.Join(dir, "plain"), list)
		if err != nil {
			return err
		}
		r, most, err := b.filesBack(ctx, dir, key, list)
		if err != nil {
			return err
		}
		if r == 0 {
			b.report.add(figure{Name: "files restored from a vault", Unit: "MiB/s", Note: "not measured: files of this size are no octets beside the database here"})
			return nil
		}
		back, beside, memory = append(back, r), append(beside, rate), max(memory, most)
	}
	f := figure{Name: fmt.Sprintf("files of %s MiB restored from a vault on the same disk", short(float64(b.fileSize)/(1<<20))), Value: median(back), Unit: "MiB/s", Goal: 200,
		Note: fmt.Sprintf("the median of %s; %d files; %s MiB resident at most", rates(back), len(list), mebi(memory))}
	f.beside(f.Value/median(beside), "of "+plainCopy)
	b.report.add(f)
	return nil
}

// filesKept puts files into a store with a vault.
func (b *bench) filesKept(ctx context.Context, data string, list []*file) error {
	s, err := server.Start(ctx, server.Options{Bin: b.bin, Data: data})
	if err != nil {
		return err
	}
	a, err := s.AddAccount(ctx, "alice@example.org")
	if err == nil {
		_, err = move(ctx, filesOf(s.Addr, a), fileHands, list, hand.put)
	}
	return errors.Join(err, s.Stop())
}

// filesPlain copies them plainly.
func (b *bench) filesPlain(ctx context.Context, dir string, list []*file) (float64, error) {
	if err := errors.Join(settle(b.dir), os.Mkdir(dir, 0o700)); err != nil {
		return 0, err
	}
	rate, err := move(ctx, plain(dir), fileHands, list, hand.put)
	return rate, errors.Join(err, os.RemoveAll(dir), settle(b.dir))
}

// filesBack restores once, and returns the MiB a second of files, from the command's beginning to its end, and what it had resident at most. 0: no file was restored beside the database.
func (b *bench) filesBack(ctx context.Context, dir, key string, list []*file) (rate float64, most int64, err error) {
	into := filepath.Join(dir, "again")
	defer func() { err = errors.Join(err, os.RemoveAll(into), settle(b.dir)) }()
	var rep struct {
		Blobs struct {
			Octets int64 `json:"octets_read"`
		} `json:"blobs"`
	}
	began := time.Now()
	err = command(ctx, func(out []byte, p *os.ProcessState) error {
		most = peak(p)
		return json.Unmarshal(out, &rep)
	}, b.bin, "restore", "--json", "--from", filepath.Join(dir, "holdfast-vault"), "--key", key, "--into", into)
	took := time.Since(began).Seconds()
	if err == nil && rep.Blobs.Octets > 0 && float64(rep.Blobs.Octets) != mebis(list)*(1<<20) {
		err = fmt.Errorf("%d octets were restored", rep.Blobs.Octets)
	}
	return float64(rep.Blobs.Octets) / (1 << 20) / took, most, err
}
