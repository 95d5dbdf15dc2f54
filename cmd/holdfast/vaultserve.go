package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/place/dir"
	"holdfast/internal/place/remote"
	"holdfast/internal/vaultd"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

// vaultServeFlags are what `holdfast vault serve` is told.
type vaultServeFlags struct {
	dir, listen, cert, key          string
	plain                           bool
	renew                           string
	newSigner                       bool
	keepTail, keep, erased, unnamed time.Duration
	pruned                          time.Duration
	scrub                           time.Duration
	rate, most                      int64
}

func (a *app) vaultServe() *cobra.Command {
	var f vaultServeFlags
	c := &cobra.Command{
		Use:   "serve --dir DIR",
		Short: "Keep a vault for another store, on this machine",
		Long: `Keep a vault for another store, over HTTPS. What comes is encrypted already, and this server has no key: it cannot read it.

At the first start it writes three credentials to DIR/.server, each with the fingerprint of the certificate that it makes for itself:
  append.txt  for the store: it reads and adds, and can neither remove nor overwrite
  read.txt    for a restore
  prune.txt   for who removes what this server's own rules let go: keep it where the store is not
Take append.txt to the store (holdfast vault add NAME remote URL --domain LABEL --credential append.txt) and remove it here.

It takes only what goes on exactly where the vault ends, and tells nobody's clock but its own. It reads everything again now and then
(--scrub-every) and reports what is damaged.`,
		Example: `  holdfast vault serve --dir /srv/holdfast-vault-of-anna --listen :8430
  holdfast vault serve --dir /srv/vault --listen :8430 --tls-cert cert.pem --tls-key key.pem
  holdfast vault serve --dir /srv/vault --new-credential append`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.dir == "":
				return usage(cmd, errors.New("say with --dir where the vault is to lie"))
			case (f.cert == "") != (f.key == ""):
				return usage(cmd, errors.New("--tls-cert and --tls-key belong together"))
			case f.renew != "" && f.renew != "append" && f.renew != "read" && f.renew != "prune":
				return usage(cmd, fmt.Errorf("there is no credential called %q: append, read or prune", f.renew))
			}
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.serveVault(cmd.Context(), cfg, f)
		},
	}
	l := c.Flags()
	l.StringVar(&f.dir, "dir", "", "the `DIR`ectory in which the vault lies; made where it is not there")
	l.StringVar(&f.listen, "listen", "127.0.0.1:8430", "`ADDRESS` to listen on")
	l.StringVar(&f.cert, "tls-cert", "", "`FILE` with a certificate; without it one is made, and known by its fingerprint")
	l.StringVar(&f.key, "tls-key", "", "`FILE` with its key")
	l.BoolVar(&f.plain, "http-without-tls", false, "speak plain HTTP, on this machine alone or behind a proxy")
	l.StringVar(&f.renew, "new-credential", "", "make a new credential (append, read or prune), which ends the one before, and stop")
	l.BoolVar(&f.newSigner, "accept-new-signer", false, "let the store begin with another signing key, once: it lost its keys, and was restored with its recovery key")
	l.DurationVar(&f.keepTail, "keep-tail", 13*24*time.Hour, "how long segments stay of which a pack was made")
	l.DurationVar(&f.keep, "keep", 7*24*time.Hour, "how long objects stay that others have replaced")
	l.DurationVar(&f.pruned, "keep-pruned", 30*24*time.Hour, "how long packs stay that others without their old versions have replaced; a drill must have proven those too")
	l.DurationVar(&f.erased, "keep-erased", 7*24*time.Hour, "how long the keys of erased accounts stay")
	l.DurationVar(&f.unnamed, "keep-unnamed", 30*24*time.Hour, "how long the octets of files stay of which the store says that no change of it names them")
	l.DurationVar(&f.scrub, "scrub-every", 7*24*time.Hour, "how often everything is read again")
	l.Int64Var(&f.rate, "scrub-rate", 32<<20, "`OCTETS` a second that reading takes at most")
	l.Int64Var(&f.most, "max-octets", 0, "`OCTETS` that the vault may have in all; 0: what the disk takes")
	return c
}

// servedVault is a vault that is kept for another store.
type servedVault struct {
	f     vaultServeFlags
	log   *slog.Logger
	own   string
	place *dir.Dir
	lease io.Closer
	index *vaultd.Index
	guard *vaultd.Guard
	scrub *vaultd.Scrubber
	creds *vaultd.Credentials
	tls   *tls.Config // nil: plain
	print string      // of a certificate of our own
}

// serveVault runs until ctx ends.
func (a *app) serveVault(ctx context.Context, c *config.Config, f vaultServeFlags) (err error) {
	s := &servedVault{f: f, log: a.logger(c)}
	defer s.close()
	made, err := s.open(ctx)
	if err != nil {
		return err
	}
	if f.renew != "" {
		if err := s.creds.Renew(vfs.OS, s.own, s.note(), vaultd.Right(f.renew)); err != nil {
			return err
		}
		a.printf("A new credential lies in %s; the one before is taken no more.\n", vaultd.FileOf(s.own, vaultd.Right(f.renew)))
		return nil
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return &exitError{exitBusy, fmt.Sprintf("cannot listen on %s (%v); choose another address with --listen", f.listen, oneLine(err))}
	}
	if f.plain && !loopbackAddr(l.Addr()) {
		s.log.Warn("plain HTTP beyond this machine: whoever is on the way can read the credentials, unless something in front encrypts", "listen", f.listen)
	}
	scheme := "https"
	if s.tls == nil {
		scheme = "http"
	}
	url := scheme + "://" + l.Addr().String()
	a.printf("holdfast: vault ready %s\n", url)
	if s.print != "" {
		a.printf("holdfast: fingerprint %s\n", s.print)
	}
	if made {
		a.printf("holdfast: credentials in %s: append.txt is for the store, read.txt for a restore, prune.txt for who removes\n", s.own)
	}
	s.log.Info("ready", "url", url, "dir", f.dir, "version", version().Version)
	notify(s.log, "READY=1\nSTATUS=keeping a vault at "+url)
	return s.run(ctx, newDoor(l, c), c)
}

func loopbackAddr(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// open opens the directory, and everything about it; made tells that credentials were made.
func (s *servedVault) open(ctx context.Context) (made bool, err error) {
	root, err := filepath.Abs(s.f.dir)
	if err != nil {
		return false, err
	}
	if s.place, err = dir.Open(vfs.OS, root, dir.Options{Log: s.log, Create: true}); err != nil {
		return false, refused("%s", sentence(err))
	}
	if s.lease, err = s.place.Lease(); err != nil {
		return false, err
	}
	if s.own, err = vaultd.OpenOwn(vfs.OS, root); err != nil {
		return false, err
	}
	if err := s.certificate(); err != nil {
		return false, err
	}
	if s.creds, made, err = vaultd.OpenCredentials(vfs.OS, s.own, s.note()); err != nil {
		return false, err
	}
	if s.index, err = vaultd.OpenIndex(filepath.Join(s.own, "index.sqlite")); err != nil {
		return false, err
	}
	s.guard, err = vaultd.NewGuard(ctx, s.place, s.index, vaultd.Options{Log: s.log, KeepTail: s.f.keepTail, Keep: s.f.keep, KeepPruned: s.f.pruned, KeepErased: s.f.erased, KeepUnnamed: s.f.unnamed, MaxOctets: s.f.most, NewSigner: s.f.newSigner})
	if err != nil {
		return false, refused("the vault in %s cannot be kept: %s", root, sentence(err))
	}
	s.scrub = &vaultd.Scrubber{Guard: s.guard, Every: s.f.scrub, Rate: s.f.rate}
	return made, nil
}

func (s *servedVault) close() {
	if s.index != nil {
		_ = s.index.Close()
	}
	if s.lease != nil {
		_ = s.lease.Close()
	}
	if s.place != nil {
		_ = s.place.Close()
	}
}

// note is what is written below each credential.
func (s *servedVault) note() string {
	if s.print == "" {
		return ""
	}
	return "fingerprint " + s.print + "\n"
}

// run serves until ctx ends, and reads everything now and then.
func (s *servedVault) run(ctx context.Context, l net.Listener, c *config.Config) error {
	h := &vaultd.Handler{Place: s.guard, Credentials: s.creds, Log: s.log, Describe: s.describe, Prune: s.guard.Prune}
	srv := &http.Server{Handler: h.New(), ReadHeaderTimeout: c.Timeouts.Headers, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, TLSConfig: s.tls,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	behind, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { s.scrub.Run(behind) })
	failed := make(chan error, 1)
	go func() {
		if s.tls != nil {
			failed <- srv.ServeTLS(l, "", "")
		} else {
			failed <- srv.Serve(l)
		}
	}()
	var err error
	select {
	case <-ctx.Done():
		notify(s.log, "STOPPING=1")
		end, done := context.WithTimeout(context.Background(), c.Timeouts.Shutdown)
		defer done()
		if srv.Shutdown(end) != nil {
			_ = srv.Close()
		}
	case err = <-failed:
	}
	cancel()
	work.Wait()
	return err
}

// describe fills in what the server says of itself.
func (s *servedVault) describe(out *remote.Server) {
	st := s.guard.State()
	out.Vault, out.Term, out.Batch, out.Hash, out.Objects, out.Octets = st.Vault, st.Term, st.End.Batch, st.End.Hash, st.Objects, st.Octets
	if last, damaged := s.scrub.State(); !last.IsZero() {
		out.Scrubbed, out.Damaged = &last, damaged
	}
}

// certificate takes the certificate that was named, or one of our own, which is made once.
func (s *servedVault) certificate() error {
	if s.f.plain {
		return nil
	}
	if s.f.cert != "" {
		files := &certFiles{cert: s.f.cert, key: s.f.key, log: s.log}
		if err := files.load(); err != nil {
			return refused("the certificate cannot be used: %s", oneLine(err))
		}
		s.tls = &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: files.get}
		return nil
	}
	file := filepath.Join(s.own, "tls.pem")
	b, err := vfs.ReadFile(vfs.OS, file)
	if errors.Is(err, fs.ErrNotExist) {
		if b, err = selfSigned(); err == nil {
			err = vfs.WriteFileAtomic(vfs.OS, file, b, 0o600)
		}
	}
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(b, b)
	if err != nil {
		return refused("%s cannot be used: %s. If it is removed a new certificate is made, whose fingerprint the store must be told", file, oneLine(err))
	}
	sum := sha256.Sum256(pair.Certificate[0])
	s.print = hex.EncodeToString(sum[:])
	s.tls = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}}
	return nil
}

// selfSigned makes a certificate and its key, as PEM. Nobody judges its name or dates: it is known by its fingerprint.
func selfSigned() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id := holdfast.NewID(nil)
	now := clock.System.Now()
	t := &x509.Certificate{SerialNumber: new(big.Int).SetBytes(id[:]), Subject: pkix.Name{CommonName: "holdfast vault"}, DNSNames: []string{"holdfast-vault.invalid"}, NotBefore: now.Add(-24 * time.Hour),
		NotAfter: now.AddDate(30, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...), nil
}

func (a *app) vaultPrune() *cobra.Command {
	var file, print string
	var dry, yes bool
	c := &cobra.Command{
		Use:   "prune URL --credential FILE | NAME",
		Short: "Have a vault let go of what is needed no more",
		Long: `Have a remote vault's server remove what is needed no more: what others have replaced, keys of accounts that were erased, and the octets
of files that nothing names any more. What that is the server decides, by its own clock and its own rules. FILE is the prune.txt that it
wrote; keep it apart from the store, and run this from another machine, now and then.

With the NAME of one of the store's vaults the octets of versions go that were replaced or deleted longer ago than vault.retention, by the vault's
own time; a server does this by itself each week. It takes two steps. Packs that hold enough of them are written anew without them; the old packs
stay for vault.keep_pruned, and until a drill has proven the new ones. With --dry-run it is only told what would go, and what holds it up.

What goes is gone for good: it is counted first, and goes with --yes.`,
		Example: `  holdfast vault prune https://vault.example.net:8430 --credential prune.txt --dry-run
  holdfast vault prune attic --dry-run`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if file == "" && !strings.Contains(list[0], "://") {
				return a.pruneNamed(cmd, list, dry, yes)
			}
			if file == "" {
				return usage(cmd, errors.New("say with --credential where prune.txt is"))
			}
			cred, err := readCredential(file)
			if err != nil {
				return err
			}
			if print != "" {
				cred.fingerprint = print
			}
			r, err := remote.Open(remote.Options{URL: list[0], Credential: cred.text, Prune: cred.text, Fingerprint: cred.fingerprint})
			if err != nil {
				return usage(cmd, errors.New(sentence(err)))
			}
			defer r.Close()
			p, err := r.Prune(cmd.Context(), true)
			if err == nil && !dry && p.Count > 0 {
				if err = a.needed(cmd, list, yes, fmt.Sprintf("%s of %s would be removed there for good", count(p.Count, "object"), octets(p.Octets))); err == nil {
					p, err = r.Prune(cmd.Context(), false)
				}
			}
			if err != nil {
				return err
			}
			p.DryRun = dry // where there is nothing, nothing more is asked
			if a.json {
				return a.printJSON("vault.prune", p)
			}
			what := "removed"
			if dry {
				what = "would be removed"
			}
			for _, name := range p.Objects {
				a.printf("%s\n", name)
			}
			a.printf("%s, %s: %s\n", count(p.Count, "object"), octets(p.Octets), what)
			return nil
		},
	}
	c.Flags().StringVar(&file, "credential", "", "the `FILE` with the prune credential")
	c.Flags().StringVar(&print, "fingerprint", "", "SHA-256 of the server's certificate, in `HEX`, where the file does not say it")
	c.Flags().BoolVar(&dry, "dry-run", false, "only tell what would be removed")
	agreeFlag(c, &yes)
	return c
}
