package vaultd_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/fault"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/place/remote"
	"holdfast/internal/relay"
	"holdfast/internal/seal"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
	"holdfast/internal/vaultd"
)

// bad is a proxy that does to requests and answers what networks, and worse, do.
type bad struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	chance int // of a hundred
	target string
	counts map[string]int
	late   sync.WaitGroup
}

func (b *bad) choose() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	what := ""
	if b.rnd.IntN(100) < b.chance {
		all := []string{"cut before", "cut after", "late", "twice", "half an answer", "delay", "flipped", "a portal", "a gateway's error"}
		what = all[b.rnd.IntN(len(all))]
	}
	b.counts[what]++
	return what
}

func (b *bad) set(target string, chance int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.target, b.chance = target, chance
}

func (b *bad) forward(r *http.Request, body []byte) (*http.Response, []byte, error) {
	b.mu.Lock()
	target := b.target
	b.mu.Unlock()
	req, err := http.NewRequestWithContext(context.Background(), r.Method, target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, got, err
}

func (b *bad) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	what := b.choose()
	switch what {
	case "cut before":
		panic(http.ErrAbortHandler)
	case "late": // it arrives when its sender has long given up
		b.late.Go(func() {
			time.Sleep(time.Duration(len(body)%40) * time.Millisecond)
			_, _, _ = b.forward(r, body)
		})
		panic(http.ErrAbortHandler)
	case "twice":
		_, _, _ = b.forward(r, body)
	case "delay":
		time.Sleep(20 * time.Millisecond)
	case "flipped":
		if len(body) > 0 {
			body[len(body)/2] ^= 1
		}
	case "a portal":
		fmt.Fprint(w, "<html>Welcome to the hotel's network")
		return
	case "a gateway's error":
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return
	}
	resp, got, err := b.forward(r, body)
	if err != nil || what == "cut after" {
		panic(http.ErrAbortHandler)
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	if what == "half an answer" && len(got) > 1 {
		_, _ = w.Write(got[:len(got)/2])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(got)
}

var seeds = flag.Uint64("seeds", 1, "how many stories of a bad network are told")

// TestThroughABadProxy writes into a store whose remote vault is behind a network that delays, cuts, repeats, reorders and changes, on a server whose disk fails and that is killed. Whatever was acknowledged must be in the store and in the
// vault, and a store that is put back to an earlier moment gets it back.
func TestThroughABadProxy(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { badProxy(t, seed) })
	}
}

// node is a vault's server that can be killed and started again.
type node struct {
	t     *testing.T
	disk  *memplace.Place
	index string
	plan  *fault.Plan
	creds *vaultd.Credentials
	x     *vaultd.Index
	srv   *httptest.Server
}

func (n *node) start() string {
	n.t.Helper()
	var err error
	n.x, err = vaultd.OpenIndex(n.index)
	fine(n.t, err)
	g, err := vaultd.NewGuard(context.Background(), fault.Wrap(n.disk, n.plan), n.x, vaultd.Options{})
	fine(n.t, err)
	n.srv = httptest.NewServer((&vaultd.Handler{Place: g, Credentials: n.creds, Log: quiet}).New())
	return n.srv.URL
}

func (n *node) kill() {
	n.srv.CloseClientConnections()
	n.srv.Close()
	fine(n.t, n.x.Close())
	n.disk = n.disk.Clone() // what a killed process held, nobody holds
}

func badProxy(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 5))
	ring, err := seal.NewRing(false)
	fine(t, err)
	s := serve(t, memplace.New(clock.System), nil) // for its credentials
	n := &node{t: t, disk: memplace.New(clock.System), index: t.TempDir() + "/index", plan: fault.Never(), creds: s.creds}
	proxy := &bad{rnd: rnd, counts: map[string]int{}}
	proxy.set(n.start(), 0)
	front := httptest.NewServer(proxy)
	front.Config.ErrorLog = nil
	defer front.Close()
	open := func(ctx context.Context) (*vault.Vault, error) {
		p, err := remote.Open(remote.Options{URL: front.URL, Credential: s.credential[vaultd.Add], Prune: s.credential[vaultd.Prune], Stall: time.Second})
		if err != nil {
			return nil, err
		}
		return vault.Open(ctx, vault.Options{Place: p, Ring: ring, SegmentOctets: 4 << 10})
	}
	first, err := remote.Open(remote.Options{URL: front.URL, Credential: s.credential[vaultd.Add]})
	fine(t, err)
	_, err = vault.Create(t.Context(), vault.Options{Place: first, Ring: ring}, vault.Meta{Vault: holdfast.ID{1}, Store: storeID, Name: "friend"})
	fine(t, err)
	engine, m := memory.New(), storetest.NewMaker(seed)
	var people []storetest.Account
	acked, counts := map[holdfast.ID]uint64{}, map[string]int{}
	policy, err := relay.ParsePolicy("engine+friend")
	fine(t, err)
	for round := range 5 {
		r, err := relay.New(relay.Options{Engine: engine, Store: storeID, Policy: policy, Backoff: 4 * time.Millisecond, Patience: 200 * time.Millisecond, HeadEvery: 20 * time.Millisecond, UpkeepEvery: 80 * time.Millisecond,
			Vaults: []relay.Attached{{Name: "friend", Open: open}}, Upkeep: func(ctx context.Context, v *vault.Vault, w *vault.Writer) error { return v.Upkeep(ctx, w) }})
		fine(t, err)
		for tries := 0; ; tries++ {
			if err := r.Reconcile(t.Context()); err == nil {
				break
			} else if tries > 200 {
				t.Fatalf("round %d: never compared: %v", round, err)
			}
		}
		snap, err := engine.Snapshot(t.Context())
		fine(t, err)
		for id, seq := range acked {
			if h, err := snap.Head(id); err != nil || h.Seq < seq {
				t.Fatalf("round %d: change %d was acknowledged; the store has %d, %v", round, seq, h.Seq, err)
			}
		}
		snap.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		if round == 0 {
			for i := range 3 {
				people = append(people, storetest.NewAccount(t, m, engine, fmt.Sprintf("p%d@example.org", i)))
			}
			for !r.Met() {
				time.Sleep(time.Millisecond)
			}
		}
		for i := range 40 {
			for w := 0; w < 60 && r.Ready() != nil; w++ {
				time.Sleep(time.Millisecond)
			}
			if i == 20 && round%3 == 2 { // the vault's server is killed under it
				n.kill()
				n.plan = fault.Seeded(seed*100+uint64(round), 30, fault.Before, fault.After, fault.Half, fault.Full)
				proxy.set(n.start(), 15)
				counts["killed"]++
			}
			a := people[rnd2(proxy, 3)]
			got, err := engine.Commit(ctx, storetest.Sealed(a.ID, m.Put(a.Book, fmt.Sprint(i%9), "", fmt.Appendf(nil, "%d of %d", i, round))))
			fine(t, err)
			if _, p, err := r.Wait(ctx, got.Batch); err == nil && p == "engine+friend" {
				acked[a.ID] = got.Seq
				counts["acked"]++
			} else {
				counts["not acked"]++
			}
		}
		cancel()
		<-done
		proxy.set(proxy.target, 12)
		if round%2 == 0 { // the store comes back as it was a while ago
			to := memory.New()
			upto := rnd.Uint64N(engine.Position().Batch + 1)
			fine(t, engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
				if b.Batch > upto {
					return nil
				}
				return to.Apply(t.Context(), b)
			}))
			engine = to
			counts["put back"]++
		}
	}
	proxy.late.Wait()
	t.Log(counts, proxy.counts)
	if counts["acked"] < 50 || counts["killed"] == 0 {
		t.Error("hardly anything was shown")
	}
}

func rnd2(b *bad, n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rnd.IntN(n)
}
