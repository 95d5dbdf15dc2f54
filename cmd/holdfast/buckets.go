package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"holdfast/internal/bucket"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/place/s3"
	"holdfast/internal/registry"
	"holdfast/internal/vault"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// bucketScheme is what the location of a vault in an object store begins with: the URL of the bucket stands behind it.
const bucketScheme = "s3:"

// inBucket tells whether a location names a bucket.
func inBucket(location string) bool { return strings.HasPrefix(location, bucketScheme) }

// defaultLock is for how long objects are locked where a bucket locks: as long as what was replaced stays (vault.keep), and once more.
const defaultLock = 14 * 24 * time.Hour

// bucketFlags are what a command is told of a bucket besides its credential.
type bucketFlags struct{ region, ca string }

func (b *bucketFlags) add(f *pflag.FlagSet) {
	f.StringVar(&b.region, "region", "", "the `REGION` of a bucket, where its store has several; default us-east-1")
	f.StringVar(&b.ca, "ca", "", "a `FILE` with certificates in PEM that a bucket's store is judged by; without it the system's roots judge")
}

// fill reads the file of certificates into an entry.
func (b *bucketFlags) fill(e *registry.Entry) error {
	e.Region = cmp.Or(b.region, e.Region)
	if b.ca == "" {
		return nil
	}
	pem, err := readFileLimited(b.ca, 256<<10)
	if err != nil {
		return &exitError{exitUsage, "the certificates cannot be read: " + oneLine(err)}
	}
	e.CA = string(pem)
	return nil
}

func keyOf(text string) bucket.Key {
	id, secret, _ := strings.Cut(text, ":")
	return bucket.Key{ID: id, Secret: secret}
}

// openBucketPlace opens the place of a vault in a bucket. It does not speak to the store yet.
func openBucketPlace(e registry.Entry, log *slog.Logger) (*s3.Place, error) {
	b, err := bucket.Open(bucket.Options{URL: strings.TrimPrefix(e.Location, bucketScheme), Region: e.Region, Key: keyOf(e.Credential), Prune: keyOf(e.Prune), CA: e.CA, Log: log})
	if err != nil {
		return nil, err
	}
	lock := time.Duration(e.LockSeconds) * time.Second
	return s3.New(s3.Options{Bucket: b, Log: log, Lock: func(name string) time.Duration {
		if !vault.Lockable(name) {
			return 0
		}
		return lock
	}}), nil
}

// fillBucketVault checks what the flags say of a new vault in a bucket, and reads its credentials.
func fillBucketVault(cmd *cobra.Command, n *control.NewVault, credential, prune string, lock time.Duration, f bucketFlags) error {
	where := strings.TrimPrefix(n.Location, bucketScheme)
	if _, err := bucket.ParseURL(where); err != nil {
		return usage(cmd, errors.New(sentence(err)))
	}
	n.Location = bucketScheme + strings.TrimSuffix(where, "/")
	if lock < 0 || lock > 0 && lock < time.Second || lock > 366*24*time.Hour {
		return usage(cmd, fmt.Errorf("--lock %s is no time for which objects are locked: at most a year, or 0 for not at all", lock))
	}
	n.LockSeconds = int64(lock / time.Second)
	k, err := readBucketKey(credential)
	if err != nil {
		return err
	}
	n.Credential = k.text
	if prune != "" {
		p, err := readBucketKey(prune)
		if err != nil {
			return err
		}
		n.Prune = p.text
	}
	e := registry.Entry{Region: k.region}
	err = f.fill(&e)
	n.Region, n.CA = e.Region, e.CA
	return err
}

// bucketHost returns the address of the object store that a vault lies in; empty for others.
func bucketHost(e registry.Entry) string {
	p, err := bucket.ParseURL(strings.TrimPrefix(e.Location, bucketScheme))
	if e.Kind != kindS3 || err != nil {
		return ""
	}
	return p.Host
}

// buckets remembers what the vaults' buckets are made for, as it was when they were last opened, and when everything in them was last locked again.
type buckets struct {
	mu    sync.Mutex
	facts map[string]bucket.Facts
	held  map[string]time.Time
}

// heldName is the file of a data directory that says when what lies in buckets was last locked again. It may be removed: then it is done again.
const heldName = "held.json"

func readBuckets(c *config.Config) *buckets {
	b := &buckets{facts: map[string]bucket.Facts{}, held: map[string]time.Time{}}
	if _, err := readState(c.Data, heldName, &b.held); err != nil || b.held == nil {
		b.held = map[string]time.Time{}
	}
	return b
}

// look asks what the bucket of a vault is made for. That it cannot be asked now is no error: the vault says so where it matters.
func (b *buckets) look(ctx context.Context, e registry.Entry, v *vault.Vault) {
	p, is := v.Place().(*s3.Place)
	if !is || b == nil {
		return
	}
	f, err := p.Bucket().Facts(ctx)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts[e.Name] = f
}

func (b *buckets) of(name string) (f bucket.Facts, ok bool) {
	if b == nil {
		return f, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	f, ok = b.facts[name]
	return f, ok
}

// describe fills in what is known of a vault's bucket.
func (b *buckets) describe(e registry.Entry, out *control.VaultState) {
	if e.Kind != kindS3 {
		return
	}
	f, ok := b.of(e.Name)
	if !ok {
		f = bucket.Facts{Versions: bucket.Unknown, Locks: bucket.Unknown}
	}
	out.Bucket = &control.BucketState{Versions: string(f.Versions), Locks: string(f.Locks)}
	if f.Locks == bucket.Yes {
		out.Bucket.LockSeconds = e.LockSeconds
	}
}

// bucketText says what a bucket is made for; empty for vaults that lie elsewhere.
func bucketText(v *control.VaultState) string {
	b := v.Bucket
	switch {
	case b == nil:
		return ""
	case b.Locks == string(bucket.Unknown) || b.Versions == string(bucket.Unknown):
		return "it is not known whether its bucket locks objects and keeps versions"
	case b.LockSeconds > 0:
		return fmt.Sprintf("its bucket keeps versions, and objects are locked for %s", clock.Words(time.Duration(b.LockSeconds)*time.Second))
	case b.Locks == string(bucket.Yes):
		return "its bucket keeps versions, and could lock objects, which this vault does not use"
	case b.Versions == string(bucket.Yes):
		return "its bucket keeps versions, and locks nothing"
	}
	return "its bucket neither locks objects nor keeps versions"
}

// hold locks everything again that a vault in a bucket needs, when a quarter of the time has gone by for which that holds.
func (k *keeper) hold(ctx context.Context, e registry.Entry, v *vault.Vault) error {
	f, ok := k.buckets.of(e.Name)
	if !ok {
		return nil
	}
	lock := time.Duration(e.LockSeconds) * time.Second
	k.buckets.mu.Lock()
	since := clock.System.Now().Sub(k.buckets.held[e.Name])
	k.buckets.mu.Unlock()
	if f.Locks != bucket.Yes || lock <= 0 || since >= 0 && since < lock/4 {
		return nil
	}
	began := clock.System.Now()
	n, err := v.Hold(ctx)
	if err != nil {
		return fmt.Errorf("what lies in the bucket of the vault %s could not be locked again: %w", e.Name, err)
	}
	k.log.Info("what a vault needs was locked again in its bucket", "vault", e.Name, "objects", n, "for", lock)
	k.buckets.mu.Lock()
	defer k.buckets.mu.Unlock()
	k.buckets.held[e.Name] = began
	return writeState(k.c.Data, heldName, k.buckets.held)
}

// far tells whether --from names a vault that is not in a directory.
func far(from string) bool { return isURL(from) || inBucket(from) }

// keptThere says of a vault in a bucket why something of an erased account is still there.
func keptThere(v *control.VaultState) string {
	if v.Bucket != nil && v.Bucket.LockSeconds > 0 {
		return fmt.Sprintf("In the vault %s files are locked for up to %s, and go then. Nobody can read them any more: the key is gone.\n", v.Name, clock.Words(time.Duration(v.Bucket.LockSeconds)*time.Second))
	}
	return fmt.Sprintf("The vault %s does not let its credential remove objects with all their versions: give it the right to, or retire the vault and add it again with --prune-credential.\n", v.Name)
}
