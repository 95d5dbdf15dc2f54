package rehearse

import (
	"bytes"
	_ "embed" // the page
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/vfs"
)

//go:embed report.html
var pageText string

// ReportName is the page's file.
const ReportName = "report.html"

// namedOnPage is how many losses the page names; the book has all.
const namedOnPage = 200

// WritePage writes the report as one page that needs nothing else.
func (r *Report) WritePage(dir string) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
		"day":   func(t time.Time) string { return t.Local().Format("2 January 2006, 15:04") },
		"sec":   func(s float64) string { return fmt.Sprintf("%.1f s", s) },
		"who":   func(login string) string { name, _, _ := strings.Cut(login, "@"); return name },
		"word":  word, "num": grouped, "answers": answers,
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	var b bytes.Buffer
	view := struct {
		*Report
		Plots   []plot
		Named   []Loss
		Command string
	}{r, r.plots(), r.Losses[:min(len(r.Losses), namedOnPage)], r.command()}
	if err := page.Execute(&b, view); err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	r.File = filepath.Join(dir, ReportName)
	if err := vfs.WriteFileAtomic(vfs.OS, r.File, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	return nil
}

// word is what stands in front of the verdict, with the name of its shape and colour.
func word(r *Report) [2]string {
	switch {
	case r.Good() && r.Certain():
		return [2]string{"ok", "Nothing lost"}
	case r.Good():
		return [2]string{"caution", "Not certain"}
	}
	return [2]string{"danger", "Lost"}
}

// grouped says a number as people read it.
func grouped(v any) string {
	s := fmt.Sprint(v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// command repeats this rehearsal.
func (r *Report) command() string {
	out := fmt.Sprintf("holdfast rehearse %s --accounts %d --devices %d --seed %d", r.What, r.Accounts, r.Devices, r.Seed)
	if r.Work != "" && r.Work != DefaultPace().Before.String() {
		out += " --work " + r.Work
	}
	if !r.Vault {
		out += " --without-vault"
	}
	if r.Fault != "" {
		out += " --fault " + r.Fault
	}
	return out
}

// answers says how often phones got which answer.
func answers(by map[string]int64) (list []string) {
	for _, status := range slices.Sorted(maps.Keys(by)) {
		name := "no answer"
		if n, err := strconv.Atoi(status); err == nil {
			name = strings.TrimSpace(status + " " + http.StatusText(n))
		}
		list = append(list, name+" "+grouped(by[status])+" times")
	}
	return list
}
