package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/config"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// certificates is where the server's certificate comes from: two files, or an authority that is asked by ACME.
type certificates struct {
	config  *tls.Config
	files   *certFiles // nil: ACME
	magic   *certmagic.Config
	issuer  *certmagic.ACMEIssuer
	cache   *certmagic.Cache
	domains []string
	log     *slog.Logger
	c       *config.Config
}

// newCertificates returns nil where plain HTTP is spoken.
func newCertificates(ctx context.Context, c *config.Config, log *slog.Logger) (*certificates, error) {
	switch {
	case c.TLS.Cert != "":
		f := &certFiles{cert: c.TLS.Cert, key: c.TLS.Key, log: log}
		if err := f.load(); errors.Is(err, fs.ErrNotExist) {
			return nil, &exitError{exitUsage, "the certificate cannot be used: " + oneLine(err)}
		} else if err != nil {
			return nil, refused("the certificate cannot be used: %s", oneLine(err))
		}
		return &certificates{files: f, config: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.get}}, nil
	case len(c.ACME.Domains) > 0:
		t := &certificates{domains: c.ACME.Domains, log: log, c: c}
		return t, t.prepare()
	}
	return nil, nil
}

// prepare makes everything for ACME but the first request to the authority.
func (t *certificates) prepare() error {
	logger := zapLogger(t.log)
	t.cache = certmagic.NewCache(certmagic.CacheOptions{Logger: logger,
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return t.magic, nil }})
	t.magic = certmagic.New(t.cache, certmagic.Config{Storage: &certmagic.FileStorage{Path: filepath.Join(t.c.Data, "acme")}, Logger: logger})
	issuer := certmagic.ACMEIssuer{CA: t.c.ACME.Directory, Email: t.c.ACME.Email, Agreed: true, Logger: logger, Resolver: t.c.ACME.Resolver,
		DisableHTTPChallenge: t.c.ACME.HTTPPort == 0, AltHTTPPort: t.c.ACME.HTTPPort}
	if issuer.CA != certmagic.LetsEncryptProductionCA {
		issuer.TestCA = issuer.CA // otherwise another authority would be asked after a failure
	}
	if t.c.ACME.KeyID != "" {
		issuer.ExternalAccount = &acme.EAB{KeyID: t.c.ACME.KeyID, MACKey: t.c.ACME.Key}
	}
	if t.c.ACME.Root != "" {
		pem, err := os.ReadFile(t.c.ACME.Root)
		if err != nil {
			return refused("acme.root: %v", err)
		}
		issuer.TrustedRoots = x509.NewCertPool()
		if !issuer.TrustedRoots.AppendCertsFromPEM(pem) {
			return refused("acme.root: %s holds no certificate (PEM)", t.c.ACME.Root)
		}
	}
	t.issuer = certmagic.NewACMEIssuer(t.magic, issuer)
	t.magic.Issuers = []certmagic.Issuer{t.issuer}
	t.config = t.magic.TLSConfig()
	t.config.MinVersion = tls.VersionTLS12
	t.config.NextProtos = append([]string{"h2", "http/1.1"}, t.config.NextProtos...)
	return nil
}

// manage begins to get and renew certificates. The authority's TLS-ALPN-01 challenge is answered on the server's own listener, so it is called when that is open.
func (t *certificates) manage(ctx context.Context, at net.Addr) error {
	if t.files != nil {
		return nil
	}
	if a, ok := at.(*net.TCPAddr); ok {
		t.issuer.AltTLSALPNPort = a.Port
	}
	if err := t.magic.ManageAsync(ctx, t.domains); err != nil {
		return refused("acme: %s", oneLine(err))
	}
	return nil
}

// name returns the host name that the certificate is for; empty where none is known.
func (t *certificates) name() string {
	switch {
	case t == nil:
		return ""
	case t.files != nil:
		return t.files.name()
	}
	return t.domains[0]
}

// look tells whether there is a certificate that is good now.
func (t *certificates) look() (ok bool, detail string) {
	var end time.Time
	if t.files != nil {
		end = t.files.expires()
	} else {
		for _, d := range t.domains {
			list := t.cache.AllMatchingCertificates(d)
			if len(list) == 0 {
				return false, "there is no certificate for " + d + " yet; the log says what the authority answers"
			}
			if leaf := list[0].Leaf; leaf != nil && (end.IsZero() || leaf.NotAfter.Before(end)) {
				end = leaf.NotAfter
			}
		}
	}
	if left := end.Sub(clock.System.Now()); left <= 0 {
		return false, "the certificate ended " + day(end)
	}
	return true, "the certificate is good until " + day(end)
}

func (t *certificates) close() {
	if t.cache != nil {
		t.cache.Stop()
	}
}

// certFiles is a certificate in two files. They are read again when they change, so that whoever renews them need not restart the server.
type certFiles struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   string
	checked time.Time
}

// recheck is how often the files are looked at, at most.
const recheck = 10 * time.Second

// stampOf says which version of the files is there.
func (f *certFiles) stampOf() (string, error) {
	out := ""
	for _, name := range []string{f.cert, f.key} {
		st, err := os.Stat(name)
		if err != nil {
			return "", err
		}
		out += fmt.Sprintf("%d %d;", st.ModTime().UnixNano(), st.Size())
	}
	return out, nil
}

func (f *certFiles) load() error {
	stamp, err := f.stampOf()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.pair, f.stamp = &pair, stamp
	return nil
}

func (f *certFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := clock.System.Now(); now.Sub(f.checked) > recheck {
		f.checked = now
		if stamp, err := f.stampOf(); err == nil && stamp != f.stamp {
			if err := f.load(); err != nil { // perhaps half of the pair was replaced so far
				f.log.Warn("the new certificate cannot be used yet; the old one stays", "file", f.cert, "err", err)
			} else {
				f.log.Info("a new certificate is in use", "file", f.cert, "until", f.pair.Leaf.NotAfter)
			}
		}
	}
	return f.pair, nil
}

func (f *certFiles) leaf() *x509.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pair.Leaf
}

func (f *certFiles) name() string {
	if names := f.leaf().DNSNames; len(names) > 0 && names[0] != "localhost" && names[0][0] != '*' {
		return names[0]
	}
	return ""
}

func (f *certFiles) expires() time.Time { return f.leaf().NotAfter }
