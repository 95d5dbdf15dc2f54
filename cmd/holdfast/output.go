package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/term"
)

// printJSON prints v as one object with its schema in front. v encodes as an object.
func (a *app) printJSON(command string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print %s: %w", command, err)
	}
	schema, _ := json.Marshal("holdfast." + command + "/1")
	object := append([]byte(`{"schema":`), schema...)
	if len(body) > 2 {
		object = append(append(object, ','), body[1:]...)
	} else {
		object = append(object, '}')
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(json.RawMessage(object)); err != nil {
		return fmt.Errorf("print %s: %w", command, err)
	}
	a.printed = true
	_, err = io.WriteString(a.stdout, out.String())
	return err
}

// inTable makes what somebody typed fit into a table: one line, and nothing that a terminal obeys.
func inTable(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }), " ")
}

// table prints rows in aligned columns, below their titles.
func (a *app) table(titles string, rows [][]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(titles, " ", "\t"))
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// printf is for the result.
func (a *app) printf(format string, args ...any) {
	fmt.Fprint(a.stdout, asText(fmt.Sprintf(format, args...)))
}

// say is for what accompanies the work: it goes to standard error, so that standard output holds the result alone.
func (a *app) say(format string, args ...any) {
	fmt.Fprint(a.stderr, asText(fmt.Sprintf(format, args...)))
}

// asText leaves out what a terminal obeys, or what turns the direction of text around: names of devices, albums and files are other people's.
func asText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == 0x200c || r == 0x200d { // words and emoji are joined by these
			return r
		}
		return -1
	}, s)
}

// terminal tells whether a stream is one.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// day says a moment to a person, in UTC.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// octets says a size to a person.
func octets(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1024, 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[i])
}

// count says a number with its noun.
func count(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// readLimited reads all there is, which must not be more than limit octets.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, fmt.Errorf("it has more than %d octets", limit)
	}
	return b, err
}

// readFileLimited is readLimited of a file.
func readFileLimited(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f, limit)
}
