package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"holdfast/internal/auth"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/relay"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `Run the service until it is told to stop (Ctrl-C, SIGTERM).

When it is ready it prints one line with its address, and, while no account exists, a link with which
you create the first one. The link is valid for 30 minutes; then a new one is printed.

Plain HTTP is served to this machine alone. To let phones in, give it a certificate (--tls-cert, --tls-key),
let it get one by itself (--acme), or put it behind a reverse proxy (--trusted-proxy, --public-url).`,
		Example: `  holdfast serve
  holdfast serve --data /srv/holdfast --listen :443 --acme cloud.example.org
  holdfast serve --listen 127.0.0.1:8420 --trusted-proxy 127.0.0.1 --public-url https://cloud.example.org`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), cfg)
		},
	}
	config.AddServeFlags(c.Flags())
	return c
}

// server is a running service.
type server struct {
	a       *app
	c       *config.Config
	log     *slog.Logger
	store   *opened
	setup   *auth.Setup
	proxy   *auth.Proxy
	tls     *certificates // nil: plain HTTP
	health  *health
	watcher *watcher
	metrics *metrics
	gate    gate
	people  activity

	cancel context.CancelFunc // ends what works behind the doors
	work   sync.WaitGroup

	public, admin, control net.Listener
	url                    string
	since                  time.Time
	sinceBoot              time.Duration // at since; zero: not known
	probe                  string        // see [doctor.Echo]

	servers []*http.Server
	failed  chan error // what ends the service before it is told to
}

// serve runs the service until ctx ends or something it cannot go on without fails.
func (a *app) serve(ctx context.Context, c *config.Config) error {
	if c.BeyondLoopback() && !c.HasTLS() && !c.HTTPWithoutTLS {
		return a.toldRefused(c, refused("%s can be reached from other machines, and without TLS every password could be read on the way: give --tls-cert and --tls-key, or --acme DOMAIN, "+
			"or listen on 127.0.0.1 behind a proxy; --http-without-tls allows it all the same", c.Listen))
	}
	refuseCode()
	s := &server{a: a, c: c, log: a.logger(c), failed: make(chan error, 8), since: clock.System.Now().UTC(), probe: rand.Text()}
	s.sinceBoot, _ = clock.SinceBoot()
	if err := s.open(ctx); err != nil {
		s.stop()
		return a.toldRefused(c, err)
	}
	defer s.store.close()
	if err := s.start(ctx); err != nil {
		s.stop()
		return a.toldRefused(c, err)
	}
	return s.wait(ctx)
}

// open binds what others may hold before it opens the store: a start that cannot come to anything makes no new store.
func (s *server) open(ctx context.Context) (err error) {
	found, err := survey(s.c.Data)
	if err != nil {
		return err
	}
	if s.tls, err = newCertificates(ctx, s.c, s.log); err != nil {
		return err
	}
	listenErr := s.listen()
	if listenErr != nil && found != ours {
		return listenErr
	}
	if s.store, err = openStore(ctx, s.c, toServe, s.log); err != nil {
		if errors.Is(err, vfs.ErrLocked) { // which explains an address that is taken too
			return &exitError{exitBusy, "a server or a command works on " + s.c.Data + " already" + holder(s.c) + "; stop it first, or choose another directory with --data"}
		}
		return err
	}
	if listenErr != nil {
		s.store.close()
	}
	return listenErr
}

// start opens every door and says so, once all are open.
func (s *server) start(ctx context.Context) (err error) {
	if s.c.BeyondLoopback() && !s.c.HasTLS() {
		s.log.Warn("plain HTTP beyond this machine: whoever is on the way can read passwords, unless something in front encrypts", "listen", s.c.Listen)
	}
	if s.c.AdminBeyondLoopback() {
		s.log.Warn("the admin listener is open beyond this machine, and asks nobody to sign in: others can read how the service fares", "admin_listen", s.c.AdminListen)
	}
	if err := s.makeProxy(); err != nil {
		return err
	}
	if s.control, err = control.Listen(s.c.Data); err != nil {
		return err
	}
	s.url = s.c.PublicURL
	if s.url == "" {
		s.url = openableURL(s.public.Addr(), s.c, s.tls)
	}
	s.store.auth = newAuth(s.c, s.store.core, s.proxy, s.log)
	s.store.drills.busy, s.store.keeper.busy = s.people.busy, s.people.busy
	s.store.photos = s.store.openPhotos(s.c, s.people.busy, s.log)
	s.setup = auth.NewSetup(nil, nil, s.c.SetupLink)
	s.watcher = newWatcher(s)
	s.store.keeper.watched = s.watcher.see
	s.health = newHealth(s)
	s.metrics = newMetrics(s)
	face, err := s.face()
	if err != nil {
		return err
	}
	go s.watch(ctx)
	s.run(s.control, control.NewServer(s.store.handler(s.c, s.status, s.gate.why, s.log, ctx.Done())))
	if s.admin != nil {
		s.run(s.admin, s.adminServer())
	}
	s.run(s.public, s.publicServer(face))
	if s.tls != nil {
		if err := s.tls.manage(ctx, s.public.Addr()); err != nil {
			return err
		}
	}
	s.health.look() // so that "since" tells when the state began, not when it was first asked for
	behind, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	s.store.keeper.background = func(fn func(context.Context)) { s.work.Go(func() { fn(behind) }) }
	s.store.keeper.older = s.older
	s.work.Go(func() { s.begin(behind) })
	s.work.Go(func() { s.watcher.run(behind) })
	s.work.Go(func() { s.store.board.Run(behind) })
	s.work.Go(func() { s.store.refused.Run(behind) })
	s.work.Go(func() { s.store.uploads.Run(behind) })
	return nil
}

// begin compares the store with its vaults, until that succeeds; until then nothing is shown of it. Then it says that the service is ready.
func (s *server) begin(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := s.store.reconcile(ctx)
		if err == nil {
			break
		}
		if _, refusal := errors.AsType[*exitError](err); refusal {
			s.failed <- err
			return
		}
		if ctx.Err() != nil {
			return
		}
		s.gate.set(err)
		s.log.Error("the store cannot be compared with its vaults; nothing is shown before that, and it is tried again", "err", err)
		if clock.Sleep(ctx, clock.System, pause) != nil {
			return
		}
	}
	s.gate.open()
	s.overRefusals()
	s.work.Go(func() { s.store.core.Run(ctx) })
	s.work.Go(func() { s.store.collectBlobs(ctx, s.c, s.log) })
	s.work.Go(func() { s.store.back.run(ctx) })
	s.work.Go(func() { s.resumeKeys(ctx) })
	s.work.Go(func() { s.store.keeper.scrubWhole(ctx) })
	s.work.Go(func() { s.store.keeper.pruneWhole(ctx) })
	s.work.Go(func() { s.store.keeper.sweepVaults(ctx) })
	s.work.Go(func() { s.store.keeper.retainEngine(ctx) })
	s.work.Go(func() { s.store.scrub.keep(ctx) })
	s.work.Go(func() { s.store.drills.keepProving(ctx) })
	s.work.Go(func() { s.store.erase.run(ctx, s.c.Erase.Every) })
	if s.store.photos != nil {
		s.store.photos.begin(ctx)
	}
	s.sayCopies()
	s.announce(ctx)
}

// The pauses between two tries to reach the vaults.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 30 * time.Second
)

// resumeKeys goes on with a rotation of keys that was cut, until it is done.
func (s *server) resumeKeys(ctx context.Context) {
	for {
		if err := s.store.keeper.resume(ctx); err == nil || ctx.Err() != nil {
			return
		}
		if clock.Sleep(ctx, clock.System, s.c.Vault.Seal) != nil {
			return
		}
	}
}

// sayCopies says in the log how safe the data are, and what should be done.
func (s *server) sayCopies() {
	v, err := s.store.keeper.Status(context.Background())
	level := slog.LevelWarn
	if v.Verdict == relay.VerdictOK {
		level = slog.LevelInfo
	}
	s.log.Log(context.Background(), level, "copies: "+v.Why, "verdict", v.Verdict, "policy", v.Policy.Ack, "on_failure", v.Policy.OnFailure, "err", err)
	if nag := s.store.keeper.nag(); nag != "" {
		s.log.Warn(nag)
	}
}

func (s *server) makeProxy() error {
	s.proxy = &auth.Proxy{Trusted: s.c.TrustedProxies, Log: s.log}
	if s.c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(s.c.PublicURL)
	s.proxy.Public = u
	return err
}

func (s *server) listen() (err error) {
	if s.public, err = net.Listen("tcp", s.c.Listen); err != nil {
		return &exitError{exitBusy, fmt.Sprintf("cannot listen on %s (%v); is another server running there? Choose another address with --listen", s.c.Listen, oneLine(err))}
	}
	s.public = newDoor(s.public, s.c)
	if s.c.AdminListen != "none" {
		if s.admin, err = net.Listen("tcp", s.c.AdminListen); err != nil {
			return &exitError{exitBusy, fmt.Sprintf("cannot listen on %s (%v); choose another address with --admin-listen, or none", s.c.AdminListen, oneLine(err))}
		}
	}
	return nil
}

// run serves one listener; if that ends by itself, so does the service.
func (s *server) run(l net.Listener, h *http.Server) {
	h.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug) // broken handshakes and the like
	s.servers = append(s.servers, h)
	go func() {
		serve := h.Serve
		if h.TLSConfig != nil {
			serve = func(l net.Listener) error { return h.ServeTLS(l, "", "") } // speaks HTTP/2 too
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("listening on %s ended: %w", l.Addr(), err)
		}
	}()
}

// announce tells people and the supervisor that the service is ready.
func (s *server) announce(ctx context.Context) {
	admin := "none"
	if s.admin != nil {
		admin = s.admin.Addr().String()
	}
	s.log.Info("ready", "url", s.url, "admin", admin, "data", s.c.Data, "store", s.store.id.Store, "engine", s.store.engine.Info().Engine, "version", version().Version, "config", s.c.File)
	s.a.printf("holdfast: ready %s\n", s.url)
	if s.store.core.Stats().Accounts > 0 {
		s.setup.Close()
	} else {
		go s.showSetup(ctx)
	}
	notify(s.log, "READY=1\nSTATUS=ready at "+s.url)
}

// showSetup prints the set-up link, and a new one whenever the last expired, until there is an account.
func (s *server) showSetup(ctx context.Context) {
	err := s.setup.Run(ctx, func(token string, _ time.Time) {
		if s.store.core.Stats().Accounts > 0 { // made on the command line
			s.setup.Close()
			return
		}
		s.a.printf("holdfast: setup %s/setup/%s\n", s.url, token)
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error("no set-up link could be made; create the first account with `holdfast account add`", "err", err)
	}
}

// wait returns when the service is told to stop, or has failed.
func (s *server) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case err = <-s.failed:
		s.log.Error("stopping after a failure", "err", err)
		s.watcher.stopped(err)
	}
	notify(s.log, "STOPPING=1")
	s.stop()
	if x, refusal := errors.AsType[*exitError](err); refusal {
		return x
	}
	if err != nil {
		return &exitError{exitNegative, "the service stopped: " + oneLine(err) + "; what was acknowledged is safe, start it again"}
	}
	s.log.Info("stopped")
	return nil
}

// stop lets running requests end, for a bounded time.
func (s *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), s.c.Timeouts.Shutdown)
	defer cancel()
	if s.store != nil && s.store.photos != nil {
		s.store.photos.end()
	}
	var all sync.WaitGroup
	for _, h := range s.servers {
		all.Go(func() {
			if err := h.Shutdown(ctx); err != nil {
				_ = h.Close() // whoever is still there was not answered, and knows it
			}
		})
	}
	all.Wait()
	if s.cancel != nil {
		s.cancel()
		s.work.Wait() // the store is closed next
	}
	for _, l := range []net.Listener{s.public, s.admin, s.control} {
		if l != nil {
			_ = l.Close() // those that no server took over; others are closed already
		}
	}
	if s.tls != nil {
		s.tls.close()
	}
}

// engineWatch is how often it is asked whether the engine still works.
const engineWatch = 200 * time.Millisecond

// watch ends the process soon after the engine stopped: only a new start can tell what the disk holds.
func (s *server) watch(ctx context.Context) {
	t := clock.System.NewTicker(engineWatch)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C():
			if err := s.store.engine.Info().Failed; err != nil {
				s.failed <- err
				return
			}
			s.health.look()
		}
	}
}

// status adds what the server knows of itself.
func (s *server) status(out *control.Status) {
	out.Version, out.PID, out.URL, out.Since = version().Version, os.Getpid(), s.url, &s.since
	out.SinceBoot, out.Probe = s.sinceBoot.Seconds(), s.probe
	out.Serving, out.Retention = s.serving(), s.store.keeper.retention()
	out.Ready, out.Checks = s.health.look()
}

// serving says how the server is reached. Files are named so that others find them, whatever directory they are in.
func (s *server) serving() *control.Serving {
	c := s.c
	out := &control.Serving{Listen: s.public.Addr().String(), AdminListen: "none", ACME: c.ACME.Domains, HTTPWithoutTLS: c.HTTPWithoutTLS, PublicURL: c.PublicURL, TrustedProxies: c.TrustedProxies}
	if s.admin != nil {
		out.AdminListen = s.admin.Addr().String()
	}
	if c.TLS.Cert != "" {
		out.TLSCert, out.TLSKey = absolute(c.TLS.Cert), absolute(c.TLS.Key)
	}
	return out
}
