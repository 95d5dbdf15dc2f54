package clients

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/sim/server"
)

const alice = "alice@example.org"

// place is where the program is built, once for all tests.
var place struct{ bin func() (string, error) }

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "holdfast-clients-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	place.bin = sync.OnceValues(func() (string, error) { return server.Build(context.Background(), dir) })
	return m.Run()
}

// need passes a test over where a program of its is not installed. Continuous integration must have it.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing(t, "%s is not installed (scripts/need-tools.sh says how to get it): %v", p, err)
		}
	}
}

// missing skips a test for want of something that this machine does not have; with CI=true it fails.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// thorough leaves a test out of the quick run that stands before each commit (-short). The whole run has it.
func thorough(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: starts other people's programs many times")
	}
}

// house is the running program with one account, Alice's.
type house struct {
	*server.Server
	t  *testing.T
	id string
}

func program(t *testing.T) string {
	t.Helper()
	bin, err := place.bin()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// newHouse starts the program on a new data directory, until the test ends.
func newHouse(t *testing.T) *house {
	t.Helper()
	s, err := server.Start(t.Context(), server.Options{Bin: program(t), Data: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Server: s, t: t}
	t.Cleanup(func() {
		if err := h.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log("the end of the server's log:\n" + h.LogTail())
		}
	})
	var a struct{ ID string }
	h.command(&a, "account", "add", alice, "--no-password")
	h.id = a.ID
	return h
}

// command runs a command of the program, which must succeed.
func (h *house) command(out any, args ...string) {
	h.t.Helper()
	if err := h.Run(h.t.Context(), out, args...); err != nil {
		h.t.Fatal(err)
	}
}

// device is an app password, as the device list knows it.
type device struct{ ID, Password string }

func (h *house) device(name string) device {
	h.t.Helper()
	return h.deviceOf(alice, name)
}

// deviceOf adds a device to any account.
func (h *house) deviceOf(email, name string) (d device) {
	h.t.Helper()
	h.command(&d, "app-password", "add", email, "--name", name)
	return d
}

func (h *house) url() string { return "http://" + h.Addr }

func (h *house) book() string { return "/dav/addressbooks/" + h.id + "/default/" }

// calendar is where one of Alice's calendars is.
func (h *house) calendar(name string) string { return "/dav/calendars/" + h.id + "/" + name + "/" }

// restart starts the program again where it was: same data, same address.
func (h *house) restart() {
	h.t.Helper()
	o := h.Options
	o.Flags = []string{"--listen", h.Addr}
	s, err := server.Start(h.t.Context(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Server = s
}

// killNow ends the program as kill -9 does.
func (h *house) killNow() {
	h.t.Helper()
	if err := h.Kill(); err != nil {
		h.t.Fatal(err)
	}
}

// export is what `holdfast export` says of the default address book: the SHA-256 of each file that it wrote, by name.
func (h *house) export() map[string]holdfast.Hash {
	h.t.Helper()
	return h.exported("default")
}

// exported is the same of any address book.
func (h *house) exported(book string) map[string]holdfast.Hash {
	h.t.Helper()
	return h.exportedFrom("addressbooks/" + book)["addressbooks/"+book]
}

// exportedFrom is the same of several address books and calendars, by their paths.
func (h *house) exportedFrom(paths ...string) map[string]map[string]holdfast.Hash {
	h.t.Helper()
	dir := filepath.Join(h.t.TempDir(), "export")
	var x struct{ Files int }
	h.command(&x, "export", alice, "--to", dir)
	all := map[string]map[string]holdfast.Hash{}
	for _, path := range paths {
		files := readFiles(h.t, filepath.Join(dir, filepath.FromSlash(path)), extensionOf(path))
		if len(files) > x.Files {
			h.t.Fatalf("the export says that it wrote %d files, and %d are in %s", x.Files, len(files), path)
		}
		all[path] = map[string]holdfast.Hash{}
		for name, octets := range files {
			all[path][name] = holdfast.HashOf(octets)
		}
	}
	return all
}

// extensionOf tells how files are named in a collection.
func extensionOf(path string) string {
	if strings.HasPrefix(path, "calendars/") {
		return ".ics"
	}
	return ".vcf"
}

// readCards reads the .vcf files of a directory.
func readCards(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	return readFiles(t, dir, ".vcf")
}

// readFiles reads the files of a directory that have an extension.
func readFiles(t *testing.T, dir, extension string) map[string][]byte {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, e := range list {
		if filepath.Ext(e.Name()) != extension {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = b
	}
	return out
}

// hashes is a set of files by their octets alone: sorted SHA-256, doubles kept. Clients name files as they like.
func hashes(files map[string][]byte) []string {
	var out []string
	for _, b := range files {
		out = append(out, holdfast.HashOf(b).String())
	}
	slices.Sort(out)
	return out
}

func hashTexts(files map[string]holdfast.Hash) []string {
	var out []string
	for h := range maps.Values(files) {
		out = append(out, h.String())
	}
	slices.Sort(out)
	return out
}

// same fails the test where two sets of files are not the same, octet by octet.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	t.Fatalf("%s: %d files, want %d; not the same octets: %d are extra or changed, %d are missing", what, len(got), len(want), len(without(got, want)), len(without(want, got)))
}

// without returns what is in a more often than in b.
func without(a, b []string) (out []string) {
	n := map[string]int{}
	for _, x := range b {
		n[x]++
	}
	for _, x := range a {
		if n[x]--; n[x] < 0 {
			out = append(out, x)
		}
	}
	return out
}

// tool is one run of somebody else's program.
type tool struct {
	dir   string // its home and working directory
	stdin string
	env   []string
}

// environment is what a program gets to see of ours: nothing but where programs are.
func (p tool) environment() []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "LC_ALL=C.UTF-8", "LANG=C.UTF-8", "TERM=dumb", "PYTHONUNBUFFERED=1",
		"XDG_CONFIG_HOME=" + p.dir + "/.config", "XDG_DATA_HOME=" + p.dir + "/.local/share", "XDG_CACHE_HOME=" + p.dir + "/.cache"}, p.env...)
}

// command prepares a run.
func (p tool) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env, c.Stdin = p.dir, p.environment(), strings.NewReader(p.stdin)
	return c
}

// A program that asks a question again and again, or waits for ever, must not take the machine with it.
const (
	maxRun  = 3 * time.Minute
	maxSaid = 16 << 20
)

// run runs a program to its end, and returns all that it said.
func (p tool) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, maxRun, fmt.Errorf("%s did not end within %v", name, maxRun))
	defer cancel()
	var out said
	c := p.command(ctx, name, args...)
	c.Stdout, c.Stderr, c.WaitDelay = &out, &out, time.Second
	err := c.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out.String(), err
}

// said takes what a program says, within bounds: beyond them its pipe breaks.
type said struct{ bytes.Buffer }

func (s *said) Write(p []byte) (int, error) {
	if s.Len()+len(p) > maxSaid {
		return 0, errors.New("it talks without end")
	}
	return s.Buffer.Write(p)
}

// ReadFrom hides the buffer's own, which knows no bounds.
func (s *said) ReadFrom(r io.Reader) (int64, error) { return io.Copy(struct{ io.Writer }{s}, r) }

// dav sends one request as a device of Alice's, and returns the status and the body.
func (h *house) dav(d device, method, path, body string, headers ...string) (int, string) {
	h.t.Helper()
	return h.davAs(alice, d, method, path, body, headers...)
}

// davAs does so for any account.
func (h *house) davAs(email string, d device, method, path, body string, headers ...string) (int, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.SetBasicAuth(email, d.Password)
	for _, x := range headers {
		k, v, _ := strings.Cut(x, ": ")
		r.Header.Set(k, v)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer a.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(a.Body); err != nil {
		h.t.Fatal(err)
	}
	return a.StatusCode, b.String()
}
