package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/transfer"
	"holdfast/internal/vcard"
)

func judge(_ *holdfast.Collection, name, _ string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	ix, refusal := vcard.Judge(body, vcard.Limits{})
	if refusal != nil {
		return 0, holdfast.Index{}, &holdfast.Error{Op: "judge", Kind: holdfast.Invalid, Ref: name, Rule: string(refusal.Precondition), Text: refusal.Why}
	}
	return holdfast.KindAddress, holdfast.Index{UID: ix.UID}, nil
}

func newHandler(t *testing.T) http.Handler {
	t.Helper()
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	s := core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge}})
	return NewHandler(Options{Core: s, Patience: 200 * time.Millisecond,
		Hash: func(_ context.Context, login, password string) (string, error) {
			if password == "weak" {
				return "", &holdfast.Error{Op: "hash", Kind: holdfast.Invalid, Text: "too weak"}
			}
			return "hash of " + password, nil
		},
		SetPassword: func(ctx context.Context, actor holdfast.Actor, id holdfast.ID, password string) error {
			_, err := s.UpdateAccount(ctx, actor, id, func(r *holdfast.AccountRecord) error { r.Password = "hash of " + password; return nil })
			return err
		},
		NewSecret: func() (string, holdfast.Hash, error) { return "secret", holdfast.HashOf([]byte("secret")), nil },
		TakeSecret: func(password string) (holdfast.Hash, error) {
			if password == "" {
				return holdfast.Hash{}, &holdfast.Error{Op: "take", Kind: holdfast.Invalid, Text: "too short"}
			}
			return holdfast.HashOf([]byte(password)), nil
		},
	})
}

// listen serves a handler on a control socket.
func listen(t *testing.T, dir string, h http.Handler) {
	t.Helper()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(h)
	go s.Serve(l)
	t.Cleanup(func() {
		s.Close()
		if _, err := os.Lstat(filepath.Join(dir, SocketName)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket stays: %v", err)
		}
	})
}

// bothWays runs a test against a handler in this process and against one behind a socket.
func bothWays(t *testing.T, fn func(*testing.T, *Client)) {
	t.Run("in process", func(t *testing.T) { fn(t, InProcess(newHandler(t))) })
	t.Run("socket", func(t *testing.T) {
		dir := t.TempDir()
		listen(t, dir, newHandler(t))
		c, err := Dial(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fn(t, c)
	})
}

func TestOperations(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Client) {
		ctx := t.Context()
		a, err := c.CreateAccount(ctx, NewAccount{Email: "Alice@example.org", Password: "p"})
		if err != nil || a.Email != "alice@example.org" || a.State != holdfast.Active || !a.Pages {
			t.Fatalf("%+v, %v", a, err)
		}
		for name, err := range map[string]error{
			"exists":  second(c.CreateAccount(ctx, NewAccount{Email: "alice@example.org"})),
			"invalid": errors.Join(second(c.CreateAccount(ctx, NewAccount{Email: "x"})), second(c.Rename(ctx, "alice@example.org", "x"))),
			"weak":    second(c.CreateAccount(ctx, NewAccount{Email: "b@example.org", Password: "weak"})),
			"absent":  second(c.Account(ctx, "nobody@example.org")),
			"slash":   second(c.Account(ctx, "a/b")),
			"device":  c.RevokeDevice(ctx, "alice@example.org", holdfast.NewID(nil).String()),
		} {
			want := map[string]holdfast.ErrorKind{"exists": holdfast.Exists, "invalid": holdfast.Invalid, "weak": holdfast.Invalid}[name]
			if want == 0 {
				want = holdfast.NotFound
			}
			if !holdfast.IsKind(err, want) {
				t.Errorf("%s: %v, want kind %v", name, err, want)
			}
		}
		d, err := c.AddDevice(ctx, a.ID.String(), "Pixel 8")
		if err != nil || d.Password != "secret" {
			t.Fatalf("%+v, %v", d, err)
		}
		if _, err := c.TakeDevice(ctx, "alice@example.org", "Tablet", ""); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("an empty app password is no wish for a new one: %v", err)
		}
		if _, err := c.TakeDevice(ctx, "alice@example.org", "Tablet", "secret"); !holdfast.IsKind(err, holdfast.Exists) {
			t.Errorf("an app password for two devices: %v", err)
		}
		if x, err := c.TakeDevice(ctx, "alice@example.org", "Tablet", "taken"); err != nil || x.Password != "" || x.Name != "Tablet" {
			t.Errorf("%+v, %v", x, err)
		} else if err := c.RevokeDevice(ctx, "alice@example.org", x.ID.String()); err != nil {
			t.Error(err)
		}
		if list, err := c.Devices(ctx, "alice@example.org"); err != nil || len(list) != 1 || list[0].LastSeen != nil {
			t.Errorf("%+v, %v", list, err)
		}
		if err := c.RevokeDevice(ctx, "alice@example.org", d.ID.String()); err != nil {
			t.Error(err)
		}
		if a, err = c.SetState(ctx, "alice@example.org", holdfast.Suspended); err != nil || a.State != holdfast.Suspended {
			t.Errorf("%+v, %v", a, err)
		}
		if a, err = c.Rename(ctx, "alice@example.org", "alicia@example.org"); err != nil || a.Email != "alicia@example.org" {
			t.Errorf("%+v, %v", a, err)
		}
		full, err := c.Account(ctx, "alice@example.org")
		if err != nil || full.ID != a.ID || len(full.Collections) != 5 || full.Collections[0].Path != "addressbooks/default" || full.Collections[0].Name != "Contacts" || full.Collections[3].Path != "calendars/tasks" || full.Digest.IsZero() {
			t.Errorf("%+v, %v", full, err)
		}
		if list, err := c.Accounts(ctx); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		if s, err := c.Status(ctx); err != nil || s.Accounts != 1 || s.Running != c.Remote || s.Ready != c.Remote {
			t.Errorf("%+v, %v", s, err)
		}
		if err := c.Check(ctx, true, func(f Finding) { t.Error(f) }); err != nil {
			t.Error(err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// cards makes n contacts, without end if n is negative, until something stops it.
func cards(ctx context.Context, n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		for i := 0; i != n; i++ {
			_, err := fmt.Fprintf(w, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u%d\r\nFN:u%d\r\nNOTE:%s\r\nEND:VCARD\r\n", i, i, strings.Repeat("x", 1000))
			if err != nil || ctx.Err() != nil {
				break
			}
		}
		w.CloseWithError(ctx.Err())
	}()
	return r
}

// TestStreams holds that progress comes while the upload runs, that an upload may be larger than all buffers, and that stopping the caller stops the handler.
func TestStreams(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Client) {
		if _, err := c.CreateAccount(t.Context(), NewAccount{Email: "alice@example.org"}); err != nil {
			t.Fatal(err)
		}
		q := ImportRequest{Account: "alice@example.org", Into: "addressbooks/default", File: "f"}
		const n = 3000
		var done *transfer.Totals
		if err := c.Import(t.Context(), q, cards(t.Context(), n), func(e ImportEvent) { done = e.Done }); err != nil || done == nil || done.Created != n {
			t.Fatalf("%+v, %v", done, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err := c.Import(ctx, q, cards(ctx, -1), func(e ImportEvent) {
			if e.Progress != nil {
				cancel() // in the middle of an upload that has no end
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		in, err := c.Export(t.Context(), "alice@example.org")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		in.Close()
		if err != nil || len(b) < n*1000 {
			t.Errorf("%d octets, %v", len(b), err)
		}
		in, err = c.Export(t.Context(), "alice@example.org")
		if err != nil {
			t.Fatal(err)
		}
		in.Close() // a reader that goes away is no matter
		if _, err := c.Export(t.Context(), "nobody@example.org"); !holdfast.IsKind(err, holdfast.NotFound) {
			t.Error(err)
		}
		if err := c.Import(t.Context(), ImportRequest{Account: "nobody@example.org"}, strings.NewReader("x"), nil); !holdfast.IsKind(err, holdfast.NotFound) {
			t.Error(err)
		}
		q.Into = "calendars/default"
		if err := c.Import(t.Context(), q, cards(t.Context(), 5), nil); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Error(err)
		}
	})
}

// TestBrokenAnswers holds that an answer that is cut short is an error, never a short success.
func TestBrokenAnswers(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/export"):
			io.WriteString(w, "half")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case strings.HasSuffix(r.URL.Path, "/import"):
			io.WriteString(w, `{"progress":{"items":1}}`+"\n")
		case r.URL.Path == "/v1/check":
			io.WriteString(w, `{"finding":{"what":"x"}}`+"\n")
		case r.URL.Path == "/v1/status":
			w.WriteHeader(http.StatusTeapot)
		default:
			panic("early")
		}
	})
	dir := t.TempDir()
	listen(t, dir, h)
	remote, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*Client{"in process": InProcess(h), "socket": remote} {
		in, err := c.Export(t.Context(), "x")
		if err == nil {
			_, err = io.ReadAll(in)
		}
		if err == nil {
			t.Errorf("%s: an export that broke off looked whole", name)
		}
		if err := c.Import(t.Context(), ImportRequest{Account: "x"}, strings.NewReader(""), func(ImportEvent) {}); err == nil {
			t.Errorf("%s: an import without an end looked done", name)
		}
		if err := c.Check(t.Context(), false, func(Finding) {}); err == nil {
			t.Errorf("%s: a check without an end looked done", name)
		}
		if _, err := c.Status(t.Context()); err == nil {
			t.Errorf("%s: a teapot was a status", name)
		}
		if _, err := c.Accounts(t.Context()); err == nil {
			t.Errorf("%s: a panic was an answer", name)
		}
	}
}

// flaky is an engine that can be told to read no more.
type flaky struct {
	store.Engine
	broken atomic.Bool
}

func (f *flaky) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if f.broken.Load() {
		return nil, &holdfast.Error{Op: "test", Kind: holdfast.Unavailable, Text: "no more"}
	}
	return f.Engine.Snapshot(ctx)
}

// TestExportBreaksOff holds that an export that fails in the middle ends in an error, not in a shorter stream.
func TestExportBreaksOff(t *testing.T) {
	e := &flaky{Engine: memory.New()}
	defer e.Close()
	c := InProcess(NewHandler(Options{Core: core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge}})}))
	if _, err := c.CreateAccount(t.Context(), NewAccount{Email: "alice@example.org"}); err != nil {
		t.Fatal(err)
	}
	q := ImportRequest{Account: "alice@example.org", Into: "addressbooks/default"}
	if err := c.Import(t.Context(), q, cards(t.Context(), 1000), func(ImportEvent) {}); err != nil {
		t.Fatal(err)
	}
	in, err := c.Export(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	e.broken.Store(true)
	if b, err := io.ReadAll(in); err == nil {
		t.Errorf("%d octets looked whole", len(b))
	}
	if _, err := c.Export(t.Context(), "alice@example.org"); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Errorf("an export that could not begin: %v", err)
	}
}

func TestHeavyWorkIsBounded(t *testing.T) {
	c := InProcess(newHandler(t))
	if _, err := c.CreateAccount(t.Context(), NewAccount{Email: "alice@example.org"}); err != nil {
		t.Fatal(err)
	}
	q := ImportRequest{Account: "alice@example.org", Into: "addressbooks/default"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for range heavy {
		began := make(chan struct{})
		go func() {
			first := true
			ended <- c.Import(ctx, q, cards(ctx, -1), func(ImportEvent) {
				if first {
					first = false
					close(began)
				}
			})
		}()
		<-began
	}
	if err := c.Import(t.Context(), q, strings.NewReader(""), nil); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Errorf("one too many: %v", err)
	}
	waits := make(chan error)
	go func() { waits <- c.Import(t.Context(), q, cards(t.Context(), 1), func(ImportEvent) {}) }()
	cancel()
	for range heavy {
		<-ended
	}
	if err := <-waits; err != nil {
		t.Errorf("one that came while others were ending: %v", err)
	}
}

func TestSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40)) // longer than a socket's path may be
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody there: %v", err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, SocketName))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	l.(*socket).Listener.Close() // as kill -9 leaves it
	if _, err := Dial(t.Context(), dir); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a dead server: %v", err)
	}
	listen(t, dir, newHandler(t))
	c, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEveryKindComesBack(t *testing.T) {
	for k := holdfast.Internal; k <= holdfast.Unauthorized; k++ {
		e := problemOf(fmt.Errorf("wrapped: %w", &holdfast.Error{Op: "o", Kind: k, Ref: "r", Rule: "u", Text: "t", Err: errors.New("cause")})).Err()
		if holdfast.KindOf(e) != k || !strings.Contains(e.Error(), "cause") {
			t.Errorf("%v became %v", k, e)
		}
		if _, ok := status[k]; !ok && k != holdfast.Internal {
			t.Errorf("%v has no status", k)
		}
	}
}

// TestAServerThatHangs holds that a client waits a bounded time for the first octet, and as long as it takes for the rest.
func TestAServerThatHangs(t *testing.T) {
	dir := t.TempDir()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Dial(t.Context(), dir) // the system takes the connection in, and nobody answers it
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Within(50*time.Millisecond, "it hangs")
	for name, err := range map[string]error{"status": second(c.Status(t.Context())), "check": c.Check(t.Context(), false, nil),
		"import": c.Import(t.Context(), ImportRequest{Account: "x"}, strings.NewReader(strings.Repeat("x", 4<<20)), nil)} {
		if !holdfast.IsKind(err, holdfast.Unavailable) || !strings.Contains(err.Error(), "it hangs") {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Close()
	slow := make(chan struct{})
	listen(t, dir, promptly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-slow
		io.WriteString(w, "[]")
	})))
	time.AfterFunc(200*time.Millisecond, func() { close(slow) })
	if _, err := c.Accounts(t.Context()); err != nil {
		t.Errorf("slow work: %v", err)
	}
}

func TestANewPassword(t *testing.T) {
	bothWays(t, func(t *testing.T, c *Client) {
		ctx := t.Context()
		if a, err := c.CreateAccount(ctx, NewAccount{Email: "alice@example.org"}); err != nil || a.Pages {
			t.Errorf("%+v, %v", a, err)
		}
		if a, err := c.SetPassword(ctx, "alice@example.org", "p"); err != nil || !a.Pages {
			t.Errorf("%+v, %v", a, err)
		}
		if _, err := c.SetPassword(ctx, "nobody@example.org", "p"); !holdfast.IsKind(err, holdfast.NotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}
