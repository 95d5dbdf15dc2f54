package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/sim/load"
)

// figure is one line of the report.
type figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	P50    float64 `json:"p50_ms,omitempty"`
	P99    float64 `json:"p99_ms,omitempty"`
	Goal   float64 `json:"goal,omitempty"`
	AtMost bool    `json:"at_most,omitempty"` // the goal is an upper bound
	Met    *bool   `json:"met,omitempty"`
	Ratio  float64 `json:"ratio,omitempty"` // of what Of names
	Of     string  `json:"of,omitempty"`
	Note   string  `json:"note,omitempty"`
}

func (f figure) latency(h *load.Histogram) figure {
	f.P50, f.P99 = float64(h.Quantile(0.5).Nanoseconds())/1e6, float64(h.Quantile(0.99).Nanoseconds())/1e6
	return f
}

func (f *figure) beside(ratio float64, of string) { f.Ratio, f.Of = ratio, of }

// report is everything that a run found.
type report struct {
	Schema  string    `json:"schema"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	CPUs    int       `json:"cpus"`
	Go      string    `json:"go"`
	Load    string    `json:"load_before"` // the machine's load average before the run
	Figures []figure  `json:"figures"`

	bare   map[int]float64
	fsyncs float64
}

func newReport() *report {
	b, _ := os.ReadFile("/proc/loadavg") // empty where there is none
	return &report{Schema: "holdfast.bench/1", Began: time.Now().UTC(), CPUs: runtime.NumCPU(), Go: runtime.Version(),
		Load: strings.Join(strings.Fields(string(b))[:min(3, len(strings.Fields(string(b))))], " "), bare: map[int]float64{}}
}

func (r *report) add(f figure) {
	if f.Goal > 0 {
		met := f.Value >= f.Goal
		if f.AtMost {
			met = f.Value <= f.Goal
		}
		f.Met = &met
	}
	r.Figures = append(r.Figures, f)
	fmt.Fprintln(os.Stderr, "bench:  ", strings.Join(f.cells(), " · "))
}

func (r *report) end() { r.Seconds = time.Since(r.Began).Seconds() }

// cells returns the figure as a row: work, seen, p50, p99, goal, beside.
func (f figure) cells() []string {
	ms := func(v float64) string {
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'f', 2, 64) + " ms"
	}
	goal := ""
	if f.Goal > 0 {
		goal = map[bool]string{true: "≤ ", false: "≥ "}[f.AtMost] + number(f.Goal) + " " + f.Unit + map[bool]string{true: ", met", false: ", **missed**"}[f.Met == nil || *f.Met]
	}
	beside := f.Note
	if f.Of != "" {
		beside = strings.TrimPrefix(fmt.Sprintf("%s; %s %s", f.Note, percent(f.Ratio), f.Of), "; ")
	}
	return []string{f.Name, strings.Replace(number(f.Value)+" "+f.Unit, " /s", "/s", 1), ms(f.P50), ms(f.P99), strings.Replace(goal, " /s", "/s", 1), beside}
}

func percent(v float64) string {
	if v > 3 {
		return fmt.Sprintf("%.1f times", v)
	}
	return fmt.Sprintf("%.0f %%", v*100)
}

func (r *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	rows := [][]string{{"work", "seen", "p50", "p99", "goal", "beside"}}
	for _, f := range r.Figures {
		rows = append(rows, f.cells())
	}
	_, err := fmt.Fprintf(w, "%s\n%d processors, shared by server and client; %s; load average before: %s; %s, %.0f s\n",
		markdown(rows), r.CPUs, r.Go, r.Load, r.Began.Format(time.RFC3339), r.Seconds)
	return err
}

// markdown aligns rows as a table.
func markdown(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	var b strings.Builder
	line := func(row []string, fill string) {
		for i, c := range row {
			b.WriteString("| " + c + strings.Repeat(fill, width[i]-len([]rune(c))) + " ")
		}
		b.WriteString("|\n")
	}
	line(rows[0], " ")
	line(make([]string, len(width)), "-")
	for _, row := range rows[1:] {
		line(row, " ")
	}
	return b.String()
}

// number writes a value as one reads it.
func number(v float64) string {
	switch {
	case v >= 1000:
		return thousands(int(v + 0.5))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func contains(list, name string) bool { return slices.Contains(strings.Split(list, ","), name) }

// ownCPU returns the processor time that this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
