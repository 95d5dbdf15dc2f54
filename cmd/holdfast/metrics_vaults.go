package main

import (
	"time"

	"holdfast/internal/relay"

	"github.com/prometheus/client_golang/prometheus"
)

// vaultMetrics shows how the vaults fare, each time anew: they come and go.
type vaultMetrics struct {
	relay  *relay.Relay
	keeper *keeper
	drills *drills

	lagSeconds, lagChanges, lagOctets, missing, moving, scrub, read, below, domains, checked, proven *prometheus.Desc
}

func newVaultMetrics(r *relay.Relay, k *keeper, d *drills) *vaultMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("holdfast_"+name, help, labels, nil)
	}
	return &vaultMetrics{relay: r, keeper: k, drills: d,
		proven:     desc("last_proven_restore_seconds", "When a drill last passed that restored from the vault, as Unix time; 0: never.", "vault"),
		lagSeconds: desc("vault_lag_seconds", "How long the oldest change waits that the vault does not have.", "vault"),
		lagChanges: desc("vault_lag_changes", "How far the vault is behind.", "vault"),
		lagOctets:  desc("vault_lag_octets", "How many octets of items and large files the vault is behind.", "vault"),
		missing:    desc("vault_files_missing", "Large files that changes in the vault name and whose octets it lacks, as the store does.", "vault"),
		moving:     desc("vault_files_moving_octets", "Octets of large files that are on their way into the vault and were not read yet.", "vault"),
		scrub:      desc("last_scrub_seconds", "When everything that the vault holds was last read, as Unix time; 0: never.", "vault"),
		read:       desc("vault_read_back_seconds", "When the end of what was written into the vault was last read back, as Unix time; 0: not yet.", "vault"),
		below:      desc("copies_below_policy", "Vaults that the policy names and that take no changes now."),
		domains:    desc("failure_domains", "In how many failure domains whole copies lie."),
		checked:    desc("recovery_key_checked_seconds", "When the recovery key was last made or proven to open a vault, as Unix time; 0: there is none.")}
}

// Describe implements prometheus.Collector.
func (m *vaultMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.lagSeconds, m.lagChanges, m.lagOctets, m.missing, m.moving, m.scrub, m.read, m.below, m.domains, m.checked, m.proven} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *vaultMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := m.relay.Status()
	for _, v := range s.Vaults {
		gauge(m.lagSeconds, v.LagSeconds, v.Name)
		gauge(m.lagChanges, float64(v.LagChanges), v.Name)
		gauge(m.lagOctets, float64(v.LagBytes), v.Name)
		gauge(m.missing, float64(v.Files.Missing), v.Name)
		gauge(m.moving, float64(max(0, v.Files.Of-v.Files.Octets)), v.Name)
		scrub := 0.0
		if last, ok := m.keeper.scrubs.of(v.Name); ok && !last.At.IsZero() {
			scrub = float64(last.At.Unix())
		}
		gauge(m.scrub, scrub, v.Name)
		if x, err := m.drills.standing(v.Name); err == nil {
			gauge(m.proven, unix(x.Passed.Ended), v.Name)
		}
		read := 0.0
		if !v.LastRead.IsZero() {
			read = float64(v.LastRead.Unix())
		}
		gauge(m.read, read, v.Name)
	}
	gauge(m.below, float64(belowPolicy(s)))
	gauge(m.domains, float64(s.Domains))
	checked := 0.0
	if list := m.keeper.ring.Recovery(); len(list) > 0 {
		h := list[len(list)-1]
		if checked = float64(h.Made.Unix()); !h.Checked.IsZero() {
			checked = float64(h.Checked.Unix())
		}
	}
	gauge(m.checked, checked)
}

// unix returns a moment as Unix time; 0 for the zero one.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}
