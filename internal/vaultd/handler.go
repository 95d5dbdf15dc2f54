package vaultd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/place/remote"
)

// Handler speaks the protocol of [remote] over a place.
type Handler struct {
	Place       place.Place
	Credentials *Credentials
	Log         *slog.Logger
	Stall       time.Duration // a body of which nothing comes for so long is given up; default 30 s
	// Describe fills in what the server says of itself; nil: it has nothing to say.
	Describe func(*remote.Server)
	// Prune lets go of what is due; nil: nothing ever is.
	Prune func(ctx context.Context, dry bool, fn func(name string, octets int64)) error
}

// Bounds of what is sent at once: of an append's octets, and of how many bodies are taken at a time that are larger than a usual one. Most are held in memory until they have come.
const (
	maxAppend = 64 << 20
	usualBody = 1 << 20
	maxLarger = 2
)

// places are how many requests with each credential are worked on at once. Each has its own: whoever stole one, and takes or sends an octet now and then, keeps the others from nothing.
var places = map[Right]int{Add: 32, Read: 24, Prune: 8}

// New returns the handler's routes, bounded.
func (h *Handler) New() http.Handler {
	if h.Stall <= 0 {
		h.Stall = 30 * time.Second
	}
	mux := http.NewServeMux()
	for pattern, x := range map[string]struct {
		right Right
		fn    func(http.ResponseWriter, *http.Request) error
	}{
		"GET /vault/v1/{$}":               {Read, h.describe},
		"GET /vault/v1/objects":           {Read, h.list},
		"GET /vault/v1/objects/{n...}":    {Read, h.get},
		"PUT /vault/v1/objects/{n...}":    {Add, h.put},
		"POST /vault/v1/objects/{n...}":   {Add, h.append},
		"DELETE /vault/v1/objects/{n...}": {Prune, h.remove},
		"POST /vault/v1/prune":            {Prune, h.prune},
	} {
		mux.HandleFunc(pattern, h.guarded(x.right, x.fn))
	}
	of := map[Right]chan struct{}{}
	for right, n := range places {
		of[right] = make(chan struct{}, n)
	}
	larger := make(chan struct{}, maxLarger)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		have, ok := h.right(r)
		if !ok { // it is refused at once
			mux.ServeHTTP(w, r)
			return
		}
		taken := []chan struct{}{of[have]}
		if have == Add && (r.ContentLength > usualBody || r.ContentLength < 0) {
			taken = append(taken, larger)
		}
		for _, c := range taken {
			select {
			case c <- struct{}{}:
				defer func() { <-c }()
			case <-r.Context().Done():
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// right returns what a request's credential allows; ok is false where it has none of this server's.
func (h *Handler) right(r *http.Request) (Right, bool) {
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return h.Credentials.of(text)
}

// guarded asks for a credential with a right, and writes errors.
func (h *Handler) guarded(need Right, fn func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		have, ok := h.right(r)
		var err error
		switch {
		case !ok:
			err = refuse("Serve", holdfast.Unauthorized, "", "the credential is none of this server's")
		case need != Read && need != have:
			err = refuse("Serve", holdfast.Forbidden, r.PathValue("n"), "the %s credential may not do that; it takes the %s credential, from %s.txt", have, need, need)
		case r.PathValue("n") != "" && !place.IsName(r.PathValue("n")): // before any place sees it: such a path could lead elsewhere
			err = refuse("Serve", holdfast.NotFound, "", "there is no such object")
		default:
			err = fn(w, r)
		}
		if err != nil && r.Context().Err() == nil {
			h.problem(w, r, err)
		}
	}
}

func (h *Handler) problem(w http.ResponseWriter, r *http.Request, err error) {
	p := remote.Problem{Kind: holdfast.KindOf(err).String()}
	var e *holdfast.Error
	if errors.As(err, &e) {
		p.Ref, p.Text = e.Ref, e.Text
	}
	level := slog.LevelDebug
	switch holdfast.KindOf(err) {
	case holdfast.NotFound:
	case holdfast.Forbidden, holdfast.Exists, holdfast.Invalid, holdfast.PreconditionFailed, holdfast.Unauthorized, holdfast.Fenced:
		level = slog.LevelWarn
	default:
		level = slog.LevelError
	}
	h.Log.Log(r.Context(), level, "refused", "method", r.Method, "object", r.PathValue("n"), "from", r.RemoteAddr, "err", err)
	w.Header().Set(remote.ProblemHeader, p.Kind)
	writeJSON(w, remote.StatusOf(holdfast.KindOf(err)), p)
}

func writeJSON(w http.ResponseWriter, status int, what any) {
	b, err := json.Marshal(what)
	if err != nil {
		panic("vaultd: an answer does not encode: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func (h *Handler) describe(w http.ResponseWriter, r *http.Request) error {
	now, err := h.Place.Now(r.Context())
	if err != nil {
		return err
	}
	s := remote.Server{Schema: remote.ServerSchema, Now: now.UTC(), Damaged: []string{}}
	if h.Describe != nil {
		h.Describe(&s)
	}
	writeJSON(w, http.StatusOK, s)
	return nil
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request) error {
	p := remote.Page{Schema: remote.PageSchema, Objects: []remote.Object{}}
	prefix := r.FormValue("prefix")
	if r.FormValue("last") == "true" {
		if !strings.HasSuffix(prefix, "/") || !place.IsName(prefix+"x") {
			return refuse("List", holdfast.Invalid, "", "the last one is asked for below a prefix that ends in a slash")
		}
		i, ok, err := place.Last(r.Context(), h.Place, prefix)
		if err != nil {
			return err
		}
		if ok {
			p.Objects = append(p.Objects, remote.Object{Name: i.Name, Size: i.Size, Made: i.Made.UTC()})
		}
		writeJSON(w, http.StatusOK, p)
		return nil
	}
	contents := r.FormValue("contents") == "true"
	full := errors.New("a page is full")
	octets := int64(0)
	err := h.Place.List(r.Context(), prefix, r.FormValue("after"), func(i place.Info) error {
		if len(p.Objects) == remote.PageObjects || octets >= remote.PageOctets {
			p.More = true
			return full
		}
		o := remote.Object{Name: i.Name, Size: i.Size, Made: i.Made.UTC()}
		if contents && i.Size <= remote.PageObject {
			if b, err := place.ReadAll(r.Context(), h.Place, i.Name, remote.PageObject); err == nil { // otherwise whoever asks for it by itself is told why
				o.Octets = b
				octets += int64(len(b))
			}
		}
		p.Objects = append(p.Objects, o)
		return nil
	})
	if err != nil && err != full {
		return err
	}
	writeJSON(w, http.StatusOK, p)
	return nil
}

// get answers GET and HEAD.
func (h *Handler) get(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("n")
	i, err := h.Place.Stat(r.Context(), name)
	if err != nil {
		return err
	}
	at, n, ranged, err := parseRange(r.Header.Get("Range"), i.Size)
	if err != nil {
		return err
	}
	w.Header().Set(remote.MadeHeader, i.Made.UTC().Format(time.RFC3339Nano))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	if ranged {
		if n == 0 {
			w.Header().Del("Content-Length")
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, at+n-1, i.Size))
		w.WriteHeader(http.StatusPartialContent)
	}
	if r.Method == http.MethodHead || n == 0 {
		return nil
	}
	body, err := h.Place.Get(r.Context(), name, at, n)
	if err != nil {
		panic(http.ErrAbortHandler) // the head is written: only a broken connection says that the body is not all
	}
	defer body.Close()
	c := http.NewResponseController(w)
	defer func() { _ = c.SetWriteDeadline(time.Time{}) }()
	if k, err := io.Copy(&flowing{w, c, h.Stall}, body); err != nil || k != n {
		h.Log.Warn("an object was not sent to its end", "object", name, "sent", k, "of", n, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// parseRange reads "bytes=A-" and "bytes=A-B", the two forms that a client of ours sends.
func parseRange(text string, size int64) (at, n int64, ranged bool, err error) {
	if text == "" {
		return 0, size, false, nil
	}
	spec, ok := strings.CutPrefix(text, "bytes=")
	from, to, ok2 := strings.Cut(spec, "-")
	at, err = strconv.ParseInt(from, 10, 64)
	end := size
	if ok && ok2 && err == nil && to != "" {
		if end, err = strconv.ParseInt(to, 10, 64); err == nil && end < size {
			end = min(size, end+1)
		}
	}
	if !ok || !ok2 || err != nil || at < 0 {
		return 0, 0, false, refuse("Get", holdfast.Invalid, "", "the range cannot be read")
	}
	return at, max(0, min(end, size)-at), true, nil
}

// flowing gives up a reader that takes nothing.
type flowing struct {
	w     http.ResponseWriter
	c     *http.ResponseController
	stall time.Duration
}

func (f *flowing) Write(p []byte) (int, error) {
	_ = f.c.SetWriteDeadline(clock.System.Now().Add(f.stall))
	return f.w.Write(p)
}

// body is what is sent, judged by its digest when it ends: until then nothing is durable.
type body struct {
	r     io.Reader
	c     *http.ResponseController
	hash  hash.Hash
	want  holdfast.Hash
	size  int64
	stall time.Duration
	name  string
}

func (h *Handler) body(w http.ResponseWriter, r *http.Request) (*body, error) {
	want, ok := remote.ParseDigest(r.Header.Get("Content-Digest"))
	if !ok {
		return nil, refuse("Serve", holdfast.Invalid, r.PathValue("n"), "what is sent carries its SHA-256 in Content-Digest")
	}
	return &body{r.Body, http.NewResponseController(w), sha256.New(), want, 0, h.Stall, r.PathValue("n")}, nil
}

func (b *body) Read(p []byte) (int, error) {
	_ = b.c.SetReadDeadline(clock.System.Now().Add(b.stall))
	n, err := b.r.Read(p)
	b.hash.Write(p[:n])
	b.size += int64(n)
	if err == io.EOF {
		if got := holdfast.Hash(b.hash.Sum(nil)); got != b.want {
			return n, refuse("Serve", holdfast.Invalid, b.name, "what came is not what was sent: its SHA-256 is %s", hex.EncodeToString(got[:]))
		}
	} else if err != nil {
		err = &holdfast.Error{Op: "vaultd.Serve", Kind: holdfast.Unavailable, Ref: b.name, Text: "it was cut off on the way", Err: err}
	}
	return n, err
}

func (h *Handler) put(w http.ResponseWriter, r *http.Request) error {
	b, err := h.body(w, r)
	if err != nil {
		return err
	}
	if err := h.Place.Put(r.Context(), b.name, b); err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, remote.Stored{Name: b.name, SHA256: b.want, End: b.size})
	return nil
}

func (h *Handler) append(w http.ResponseWriter, r *http.Request) error {
	b, err := h.body(w, r)
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(r.FormValue("at"), 10, 64)
	if err != nil {
		return refuse("Append", holdfast.Invalid, b.name, "at= says at which offset")
	}
	octets, err := io.ReadAll(io.LimitReader(b, maxAppend+1))
	if err != nil {
		return err
	}
	if len(octets) > maxAppend {
		return refuse("Append", holdfast.TooLarge, b.name, "one append has up to %d octets", int64(maxAppend))
	}
	if err := h.Place.Append(r.Context(), b.name, at, octets); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, remote.Stored{Name: b.name, SHA256: b.want, End: at + int64(len(octets))})
	return nil
}

func (h *Handler) remove(w http.ResponseWriter, r *http.Request) error {
	if err := h.Place.Remove(r.Context(), r.PathValue("n")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) prune(w http.ResponseWriter, r *http.Request) error {
	p := remote.Pruned{Schema: remote.PrunedSchema, Objects: []string{}, DryRun: r.FormValue("dry-run") == "true"}
	if h.Prune != nil {
		err := h.Prune(r.Context(), p.DryRun, func(name string, octets int64) {
			if len(p.Objects) < maxPruned {
				p.Objects = append(p.Objects, name)
			}
			p.Count, p.Octets = p.Count+1, p.Octets+octets
		})
		if err != nil {
			return err
		}
	}
	writeJSON(w, http.StatusOK, p)
	return nil
}
