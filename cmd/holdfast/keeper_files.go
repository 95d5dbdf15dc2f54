package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/relay"
	"holdfast/internal/vault"
)

// files reads every large file that changes name which the vault has.
func (x *verifier) files(ctx context.Context, v *vault.Vault) error {
	_, err := x.k.relay.CheckBlobs(ctx, v, relay.BlobCheck{Deep: true, Upto: x.end, Found: x.file})
	return err
}

// filesOn does so from where an earlier reading was cut: there may be terabytes, and the service restarts now and then.
func (x *verifier) filesOn(ctx context.Context, v *vault.Vault) error {
	name := x.entry.Name
	was := x.k.scrubs.filesOf(name)
	for _, f := range was.Findings {
		x.fileFound(f)
	}
	if was.At == (relay.BlobPlace{}) {
		was.Upto = x.end
	}
	x.upTo = min(x.upTo, was.Upto)
	saved := clock.System.Now()
	save := func(force bool) error {
		if now := clock.System.Now(); !force && now.Sub(saved) < filesSaved && !now.Before(saved) {
			return nil
		}
		saved = clock.System.Now()
		return x.k.scrubs.putFiles(name, was)
	}
	_, err := x.k.relay.CheckBlobs(ctx, v, relay.BlobCheck{Deep: true, Upto: x.end, From: was.At,
		Found: func(f relay.BlobFinding) {
			if found := fileFinding(f); x.fileFound(found) && len(was.Findings) < maxDamaged {
				was.Findings = append(was.Findings, found)
			}
		},
		Past: func(at relay.BlobPlace) {
			was.At = at
			if err := save(false); err != nil {
				x.k.log.Warn("how far a vault's large files were read could not be written down", "vault", name, "err", err)
			}
		}})
	if err != nil {
		if bad := save(true); bad != nil {
			x.k.log.Warn("how far a vault's large files were read could not be written down", "vault", name, "err", bad)
		}
		return err
	}
	return x.k.scrubs.putFiles(name, filesRead{})
}

// filesSaved is how often it is written down how far a reading is.
const filesSaved = 10 * time.Second

// filesRead is how far the reading of a vault's large files is, and what it has found.
type filesRead struct {
	At       relay.BlobPlace        `json:"at"`
	Findings []control.VaultFinding `json:"findings,omitempty"`
	Upto     uint64                 `json:"upto,omitempty"` // the vault's newest batch when it began: what came later may have been passed over
}

func (s *scrubs) filesOf(name string) filesRead {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byName[name].Files
	if x == nil {
		return filesRead{}
	}
	return filesRead{x.At, slices.Clone(x.Findings), x.Upto}
}

// putFiles remembers how far a reading of large files is; a zero place: none is under way.
func (s *scrubs) putFiles(name string, f filesRead) error {
	s.mu.Lock()
	x := s.byName[name]
	s.mu.Unlock()
	if x.Files = &f; f.At == (relay.BlobPlace{}) {
		x.Files = nil
	}
	return s.put(name, x)
}

func (x *verifier) file(f relay.BlobFinding) { x.fileFound(fileFinding(f)) }

// fileFound notes a large file that is missing or damaged, and tells whether it was not noted before.
func (x *verifier) fileFound(f control.VaultFinding) bool {
	if slices.Contains(x.rep.Damaged, f.Object) {
		return false
	}
	x.note(f)
	x.rep.Damaged = append(x.rep.Damaged, f.Object)
	return true
}

// fileFinding describes a large file that is missing or damaged.
func fileFinding(f relay.BlobFinding) control.VaultFinding {
	out := control.VaultFinding{Object: f.Damage.Object, Account: f.Account.String(), Name: f.Name, Seq: f.Seq, What: fmt.Sprintf("a file of %s: %s", octets(f.Blob.Size), f.Damage.What)}
	if !f.Collection.IsZero() {
		out.Collection = f.Collection.String()
	}
	if f.Why != "" {
		out.What += "; " + f.Why
	}
	return out
}
