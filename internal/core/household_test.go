package core_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/sqlite"
)

// household is three people with files: what they do is said by paths in their own trees, as a face says it.
type household struct {
	s      *core.Service
	e      *counting
	clock  *clock.Fake
	people map[string]holdfast.Principal
}

func newHousehold(t testing.TB, o core.Options) *household {
	t.Helper()
	h := &household{clock: clock.NewFake(time.Unix(1e9, 0)), people: map[string]holdfast.Principal{}}
	if o.Engine == nil {
		o.Engine = memory.New()
	}
	engine := o.Engine
	t.Cleanup(func() { engine.Close() })
	h.e = &counting{Engine: engine}
	if o.Engine = h.e; o.Copies == nil { // who waits for copies waits in real time
		o.Clock = h.clock
	}
	o.Judges = map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines, holdfast.TypeHome: judgeFiles, holdfast.TypeFolder: judgeFiles}
	h.s = core.New(o)
	for i, name := range []string{"alice", "bob", "carol"} {
		a, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, name+"@example.org", "")
		if err != nil {
			t.Fatal(err)
		}
		d, _, err := h.s.AddDevice(t.Context(), holdfast.Actor{}, a.ID, "phone", holdfast.Hash{byte(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		h.people[name] = holdfast.Principal{Account: a.ID, Device: d.ID}
		must(t, h.remove(name, "Photos")) // each has one from the start
	}
	return h
}

// withBlobs lets all but the smallest files be blobs.
func withBlobs(o core.Options) core.Options {
	o.Blobs = blob.NewKeeper(memblob.New(nil))
	o.Limits.Inline, o.Limits.File = 3, 1<<20
	return o
}

// eachHousehold runs a test where files are the bodies of their changes, and where all but the smallest are blobs.
func eachHousehold(t *testing.T, o core.Options, fn func(*testing.T, *household)) {
	t.Run("bodies", func(t *testing.T) { fn(t, newHousehold(t, o)) })
	t.Run("blobs", func(t *testing.T) { fn(t, newHousehold(t, withBlobs(o))) })
	t.Run("sqlite", func(t *testing.T) { o.Engine = newSQLite(t); fn(t, newHousehold(t, o)) })
}

func newSQLite(t *testing.T) store.Engine {
	t.Helper()
	e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Ballast: -1})
	must(t, err)
	return e
}

func names(path string) []string {
	return append([]string{holdfast.HomeFiles}, strings.FieldsFunc(path, func(r rune) bool { return r == '/' })...)
}

func (h *household) at(who, path string) (core.Location, error) {
	p := h.people[who]
	return h.s.Locate(context.Background(), p, p.Account, names(path))
}

// place is where a path leads, if what it lies in is there.
func (h *household) place(who, path string) (core.Place, error) {
	at, err := h.at(who, path)
	if err == nil && len(at.Rest) > 1 {
		err = &holdfast.Error{Op: "test", Kind: holdfast.NotFound, Ref: path}
	}
	return at.Place(), err
}

func (h *household) put(who, path, body string) error {
	at, err := h.place(who, path)
	if err != nil {
		return err
	}
	if at.Name == "" {
		return &holdfast.Error{Op: "test", Kind: holdfast.Exists, Ref: path}
	}
	_, _, err = h.s.PutFile(context.Background(), h.people[who], core.FileRequest{Place: at, Octets: strings.NewReader(body), Size: int64(len(body))})
	return err
}

func (h *household) get(who, path string) (string, error) {
	at, err := h.place(who, path)
	if err != nil {
		return "", err
	}
	p := h.people[who]
	var o *core.Octets
	err = h.s.Read(context.Background(), p, p.Account, func(r *core.Reader) error {
		x, err := r.Resource(at.Collection, at.Name, 0)
		if err == nil {
			o, err = r.Open(context.Background(), &x)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	defer o.Close()
	b, err := io.ReadAll(o)
	return string(b), err
}

func (h *household) mkdir(who, path string) error {
	at, err := h.place(who, path)
	if err != nil {
		return err
	}
	if at.Name == "" {
		return &holdfast.Error{Op: "test", Kind: holdfast.Exists, Ref: path}
	}
	_, _, err = h.s.MakeCollection(context.Background(), h.people[who], core.NewCollection{Owner: at.Owner, Parent: at.Collection, Name: at.Name, Type: holdfast.TypeFolder})
	return err
}

func (h *household) remove(who, path string) error {
	at, err := h.place(who, path)
	if err != nil {
		return err
	}
	_, err = h.s.Delete(context.Background(), h.people[who], at, holdfast.Precondition{}, nil)
	return err
}

// carry moves or copies.
func (h *household) carry(who, from, to string, move, overwrite bool) error {
	src, err := h.place(who, from)
	if err != nil {
		return err
	}
	up, name := "", to
	if i := strings.LastIndexByte(to, '/'); i >= 0 {
		up, name = to[:i], to[i+1:]
	}
	at, err := h.at(who, up)
	if err != nil {
		return err
	}
	if len(at.Rest) > 0 {
		return &holdfast.Error{Op: "test", Kind: holdfast.NotFound, Ref: up}
	}
	x := core.Transfer{From: src, To: core.Place{Owner: at.Owner, Collection: at.Collection.ID, Name: name}, Overwrite: overwrite}
	if move {
		_, err = h.s.Move(context.Background(), h.people[who], x)
	} else {
		_, err = h.s.Copy(context.Background(), h.people[who], x)
	}
	return err
}

func (h *household) move(who, from, to string) error { return h.carry(who, from, to, true, false) }
func (h *household) copy(who, from, to string) error { return h.carry(who, from, to, false, false) }

func (h *household) share(owner, path, guest string, rights holdfast.Right) error {
	at, err := h.at(owner, path)
	if err != nil {
		return err
	}
	return h.s.Share(context.Background(), holdfast.Actor{}, h.people[owner].Account, at.Collection.ID, h.people[guest].Account, rights)
}

func (h *household) unshare(owner, path, guest string) error {
	at, err := h.at(owner, path)
	if err != nil {
		return err
	}
	return h.s.Unshare(context.Background(), holdfast.Actor{}, h.people[owner].Account, at.Collection.ID, h.people[guest].Account)
}

// tree is all that somebody sees below a path of his own, as a client that lists everything would: folders end in a slash, files have their octets behind them, in the order of their names.
func (h *household) tree(t testing.TB, who, path string) string {
	t.Helper()
	p := h.people[who]
	var out []string
	err := h.s.Read(context.Background(), p, p.Account, func(r *core.Reader) error {
		at, err := r.Locate(names(path))
		if err != nil {
			return err
		}
		if len(at.Rest) > 0 {
			return &holdfast.Error{Op: "test", Kind: holdfast.NotFound, Ref: path}
		}
		top, err := r.At(&at)
		if err != nil {
			return err
		}
		return h.walk(r, &top, "", &out)
	})
	if err != nil {
		return holdfast.KindOf(err).String()
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (h *household) walk(r *core.Reader, c *holdfast.Collection, prefix string, out *[]string) error {
	err := r.List(c.ID, "", 0, core.WithBody, func(x *holdfast.Resource) error {
		text := string(x.Body)
		if x.Blob != nil {
			o, err := r.Open(context.Background(), x)
			if err != nil {
				return err
			}
			b, err := io.ReadAll(o)
			o.Close()
			if err != nil {
				return err
			}
			text = string(b)
		}
		*out = append(*out, prefix+x.Name+"="+text)
		return nil
	})
	if err != nil {
		return err
	}
	all, err := r.Below(c)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Parent == c.ID {
			*out = append(*out, prefix+all[i].Name+"/")
			if err := h.walk(r, &all[i], prefix+all[i].Name+"/", out); err != nil {
				return err
			}
		}
	}
	return nil
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (h *household) sees(t testing.TB, who, path, want string) {
	t.Helper()
	if got := h.tree(t, who, path); got != want {
		t.Errorf("%s sees below %q: %s\nwant: %s", who, path, got, want)
	}
}

func (h *household) past(t testing.TB, who string) *core.Past {
	t.Helper()
	p, err := h.s.Past(t.Context(), h.people[who], h.people[who].Account)
	must(t, err)
	return p
}
