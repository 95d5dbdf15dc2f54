package main

import (
	"math"

	"holdfast/internal/notice"

	"github.com/prometheus/client_golang/prometheus"
)

// noticeMetrics shows what is wrong, as the board has it, and how people are told.
type noticeMetrics struct {
	board *notice.Board
	space *spaceBook

	condition, bySeverity, waiting, failures, free, fullIn *prometheus.Desc
}

func newNoticeMetrics(b *notice.Board, s *spaceBook) *noticeMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("holdfast_"+name, help, labels, nil)
	}
	return &noticeMetrics{board: b, space: s,
		condition:  desc("condition", "1 for each thing that is wrong now, as `holdfast notice list` has it.", "key", "severity"),
		bySeverity: desc("conditions", "How many things are wrong now.", "severity"),
		waiting:    desc("notices_waiting", "Notices that a way has not delivered yet.", "way"),
		failures:   desc("notice_failures", "Deliveries that failed in a row.", "way"),
		free:       desc("disk_free_octets", "Free space where the data and the vaults in directories lie.", "path"),
		fullIn:     desc("disk_full_seconds", "When the disk is full if it goes on as it went; +Inf: it does not fill, or that is not known yet.", "path")}
}

// Describe implements prometheus.Collector.
func (m *noticeMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.condition, m.bySeverity, m.waiting, m.failures, m.free, m.fullIn} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *noticeMetrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	n := map[notice.Severity]float64{notice.Info: 0, notice.Warning: 0, notice.Critical: 0}
	for _, o := range m.board.Conditions() {
		gauge(m.condition, 1, o.Key, string(o.Severity))
		n[o.Severity]++
	}
	for s, v := range n {
		gauge(m.bySeverity, v, string(s))
	}
	for _, w := range m.board.Ways() {
		gauge(m.waiting, float64(w.Waiting), w.Name)
		gauge(m.failures, float64(w.Failures), w.Name)
	}
	for _, d := range m.space.disks() {
		gauge(m.free, float64(d.Free), d.Path)
		left := math.Inf(1)
		if d.Left > 0 {
			left = d.Left.Seconds()
		}
		gauge(m.fullIn, left, d.Path)
	}
}
