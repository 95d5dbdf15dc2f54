package clients

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// withoutFiles are litmus's tests that PUT a file of no known kind into the home of files, or build on one that did. This version stores contacts only: such a
// PUT is refused with 403. The list is exact: a test of it that passes fails ours, so that the version that stores files empties it.
//
// internal/dav runs all of litmus against the same handler with files allowed, and it passes.
var withoutFiles = map[string][]string{
	"basic":    {"put_get", "put_get_utf8_segment", "mkcol_over_plain", "delete"},
	"copymove": {"copy_init", "copy_simple", "copy_overwrite", "copy_nodestcoll", "copy_coll", "copy_shallow", "move", "move_coll"},
	"props": {"propinit", "propset", "propget", "propmove", "propget", "propdeletes", "propget", "propreplace", "propget", "propnullns", "propget", "prophighunicode",
		"propget", "propremoveset", "propget", "propsetremove", "propget", "propvalnspace", "propinit", "propmanyns", "propget"},
}

// result is a line of litmus: " 3. put_get............... pass".
var result = regexp.MustCompile(`(?m)^ *\d+\. (\w+)\.* (pass|FAIL|SKIPPED)(.*)$`)

// TestLitmus runs litmus against the real program, without its suite of locks, which Holdfast does not offer.
func TestLitmus(t *testing.T) {
	need(t, "litmus")
	h := newHouse(t)
	d := h.device("litmus")
	for suite, tests := range map[string]int{"basic": 16, "copymove": 13, "props": 30, "http": 4} {
		t.Run(suite, func(t *testing.T) {
			p := tool{dir: t.TempDir(), env: []string{"TESTS=" + suite}}
			out, err := p.run(t.Context(), "litmus", "-k", h.url()+"/dav/files/"+h.id+"/", alice, d.Password)
			out = unroll(out)
			var ran int
			var failed []string
			for _, m := range result.FindAllStringSubmatch(out, -1) {
				if ran++; m[2] != "pass" {
					failed = append(failed, m[1])
				}
			}
			warned := strings.Count(out, "WARNING") - strings.Count(out, "WARNING: server does not claim Class 2 compliance")
			if ran != tests || warned != 0 || !slices.Equal(failed, withoutFiles[suite]) {
				t.Errorf("%d tests (want %d), %d warnings, %v\nnot passed: %q\n      want: %q\n%s", ran, tests, warned, err, failed, withoutFiles[suite], out)
			}
		})
	}
}

// unroll puts each test on one line: litmus overwrites the line of a test that takes a while, and breaks it for a warning.
func unroll(out string) string {
	out = regexp.MustCompile(`(?m)^.*\r`).ReplaceAllString(out, "")
	return regexp.MustCompile(`(\d+\. \w+)\.* WARNING: (.*)\n *\.+ `).ReplaceAllString(out, "WARNING: $2\n$1. ")
}
