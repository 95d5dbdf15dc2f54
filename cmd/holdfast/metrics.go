package main

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics is what /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	panics   prometheus.Counter
}

func newMetrics(s *server) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_requests_total", Help: "Requests answered, by face, method and status."}, []string{"face", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "holdfast_request_seconds", Help: "How long requests took, by face and method.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}}, []string{"face", "method"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_panics_total", Help: "Requests that made the server panic."})}
	m.registry.MustRegister(m.requests, m.seconds, m.panics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	counter := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
	}
	yes := func(v bool) float64 {
		if v {
			return 1
		}
		return 0
	}
	stats := s.store.core.Stats
	counter("holdfast_acknowledged_total", "Changes (groups) that were acknowledged as durable since the start.", func() float64 { return float64(stats().Acknowledged) })
	counter("holdfast_in_doubt_answers_total", "Requests answered 503 because a device had seen more than the store has.", func() float64 { return float64(stats().InDoubt) })
	gauge("holdfast_accounts_in_doubt", "Accounts of which a device has seen more than the store has, and which nobody has released.", func() float64 { return float64(stats().AccountsInDoubt) })
	gauge("holdfast_items_known_lost", "Items that are known to be lost, and listed to the devices that may have them.", func() float64 {
		n, err := s.store.core.Ghosts(context.Background())
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	})
	gauge("holdfast_accounts", "Accounts.", func() float64 { return float64(stats().Accounts) })
	gauge("holdfast_store_octets", "Size of the database on disk.", func() float64 { return float64(stats().Engine.Octets) })
	gauge("holdfast_uploads", "Files that arrive in chunks and are not whole yet.", func() float64 { return float64(s.store.uploads.Count().Uploads) })
	gauge("holdfast_uploads_octets", "Octets of them that have come.", func() float64 { return float64(s.store.uploads.Count().Octets) })
	gauge("holdfast_read_only", "1 while the disk is full.", func() float64 { return yes(stats().Engine.ReadOnly) })
	gauge("holdfast_ready", "1 while the service can do its work.", func() float64 { ready, _ := s.health.look(); return yes(ready) })
	gauge("holdfast_start_time_seconds", "When the service started.", func() float64 { return float64(s.since.Unix()) })
	if d, ok := s.public.(*door); ok {
		gauge("holdfast_connections", "Open connections.", func() float64 { return float64(d.open()) })
	}
	m.registry.MustRegister(newVaultMetrics(s.store.relay, s.store.keeper, s.store.drills))
	m.registry.MustRegister(newNoticeMetrics(s.store.board, s.watcher.space), newScrubMetrics(s.store.scrub))
	v := version()
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_build_info", Help: "What runs.",
		ConstLabels: prometheus.Labels{"version": v.Version, "commit": v.Commit, "go": v.Go, "engine": s.store.engine.Info().Engine}}, func() float64 { return 1 }))
	return m
}

// knownMethods keeps what strangers send from making new time series.
var knownMethods = []string{"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PROPFIND", "PROPPATCH", "REPORT", "MKCOL", "MKCALENDAR", "COPY", "MOVE"}

func (m *metrics) request(face, method string, code int, took time.Duration) {
	if !slices.Contains(knownMethods, method) {
		method = "other"
	}
	m.requests.WithLabelValues(face, method, strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(face, method).Observe(took.Seconds())
}

// adminServer answers on the admin listener: for supervisors and monitoring.
func (s *server) adminServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", livez)
	mux.HandleFunc("GET /readyz", s.health.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return &http.Server{Handler: mux, ReadHeaderTimeout: s.c.Timeouts.Headers, IdleTimeout: s.c.Timeouts.Idle, WriteTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
}
