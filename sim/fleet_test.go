package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/control"
	"holdfast/internal/fleet"
	"holdfast/sim/server"
)

// fleetOf makes accounts with a device of each kind, and the options of a run at url.
func fleetOf(t *testing.T, s *server.Server, url string, people int, life time.Duration) fleet.Options {
	t.Helper()
	o := fleet.Options{URL: url, Seed: seed(t), Rates: fleet.DefaultRates(), Life: life, Settling: time.Minute}
	o.Rates.ResetEvery = 10 * 24 * time.Hour
	for _, k := range fleet.Kinds() {
		o.Clients = append(o.Clients, fleet.Count{Kind: k, N: people})
	}
	c, err := control.Dial(t.Context(), s.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.Credentials = devicesOf(t, c, people, len(fleet.Kinds()))
	return o
}

func devicesOf(t *testing.T, c *control.Client, people, devices int) (list []fleet.Credential) {
	t.Helper()
	for i := range people {
		login := fmt.Sprintf("fleet%d@example.org", i)
		if _, err := c.CreateAccount(t.Context(), control.NewAccount{Email: login}); err != nil {
			t.Fatal(err)
		}
		for n := range devices {
			d, err := c.AddDevice(t.Context(), login, fmt.Sprint("device ", n))
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, fleet.Credential{Login: login, Password: d.Password})
		}
	}
	return list
}

func tellFleet(t *testing.T, r *fleet.Result) {
	t.Helper()
	t.Logf("%d syncs, %d failed, %d requests; %d edits, %d acknowledged, %d deletions, %d given up by clients; no user made %d, lost %d, kept %d; settled %v; answers %v; errors %v", r.Syncs,
		r.SyncsFailed, r.Requests, r.Edits, r.EditsAcknowledged, r.UserDeletions, r.EditsOverwritten, r.DeletionsNoUserMade, r.EditsLost, r.Kept, r.Settled, r.Answers, r.Errors)
	for _, list := range [][]fleet.Finding{r.Deletions, r.Lost, r.KeptOnly, r.UndoneByThem, r.Unsettled} {
		for _, f := range list[:min(len(list), 5)] {
			t.Logf("%+v", f)
		}
	}
}

// TestAFleetLosesNothing lets twenty devices of all kinds live three weeks with the built program; in the middle it is killed and started again.
func TestAFleetLosesNothing(t *testing.T) {
	s := start(t, server.Options{Flags: []string{"--listen", freeAddress(t)}})
	o := fleetOf(t, s, "http://"+s.Addr, 4, 21*24*time.Hour)
	o.Speed = float64(o.Life) / float64(6*time.Second)
	f, err := fleet.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.SetUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	died := make(chan error, 1)
	time.AfterFunc(3*time.Second, func() {
		err := s.Kill()
		s2, err2 := server.Start(context.WithoutCancel(t.Context()), s.Options)
		if err = errors.Join(err, err2); err == nil {
			t.Cleanup(func() { _ = s2.Kill() })
		}
		died <- err
	})
	if err := f.Live(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-died; err != nil {
		t.Fatal(err)
	}
	if err := f.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := f.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tellFleet(t, r)
	if !r.Good() || !r.Settled {
		t.Error("something was lost, or nothing is certain")
	}
	if r.EditsAcknowledged < 100 || r.UserDeletions < 10 || r.SyncsFailed == 0 {
		t.Error("too little happened to prove anything")
	}
}

// TestAFleetSeesOneEmptyAnswer is the control: a proxy before the built program that answers one listing with nothing in it.
func TestAFleetSeesOneEmptyAnswer(t *testing.T) {
	s := start(t, server.Options{})
	to, err := url.Parse("http://" + s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	var listings atomic.Int64
	var emptied atomic.Int64
	var told sync.Map
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wholeBody(r) != nil {
			panic(http.ErrAbortHandler)
		}
		// The last of the full listings that the set-up makes come before the twentieth; phones list calendars in full ever after. The first with something in it are answered with nothing, one of each phone and calendar: a phone that was just reset has nothing to delete.
		if r.Method == "REPORT" && strings.Contains(r.UserAgent(), "DAVx5") && strings.Contains(r.URL.Path, "/calendars/") && r.Header.Get("Depth") == "1" && listings.Add(1) >= 20 && emptied.Load() < 6 {
			seen := httptest.NewRecorder()
			proxy.ServeHTTP(seen, r)
			body := seen.Body.Bytes()
			if seen.Code == 207 && bytes.Count(body, []byte("getetag")) > 2 {
				_, twice := told.LoadOrStore(r.Header.Get("Authorization")+r.URL.Path, true)
				if !twice {
					emptied.Add(1)
					body = []byte(`<?xml version="1.0" encoding="utf-8"?><multistatus xmlns="DAV:"></multistatus>`)
				}
			}
			maps.Copy(w.Header(), seen.Header())
			w.Header().Del("Content-Length")
			w.WriteHeader(seen.Code)
			_, _ = w.Write(body)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	o := fleetOf(t, s, front.URL, 2, 10*24*time.Hour)
	o.Speed = float64(o.Life) / float64(4*time.Second)
	r, err := fleet.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	tellFleet(t, r)
	if emptied.Load() == 0 {
		t.Fatalf("only %d listings: the control was not tried", listings.Load())
	}
	if r.DeletionsNoUserMade == 0 || r.EditsLost != 0 {
		t.Errorf("%d deletions that no user made, %d edits lost", r.DeletionsNoUserMade, r.EditsLost)
	}
	for _, d := range r.Deletions {
		if d.Kind != fleet.DAVx5 || !strings.Contains(d.Because, "lists 0 members") {
			t.Errorf("not what it was: %+v", d)
		}
	}
}

// freeAddress is one that a server can come back to after it was killed.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
