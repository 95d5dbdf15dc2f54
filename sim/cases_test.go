package sim

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/fleet"
	"holdfast/sim/server"
)

// world is a fleet that lives on while what it syncs with is lost, put back, mixed up and damaged.
type world struct {
	*burning
	*front
	s         *server.Server // behind the address; nil: none
	fleet     *fleet.Fleet
	devices   int
	day       time.Duration // of the people, in real time
	witnesses []witness     // one of each account
	end       func()
	began     time.Time
	dropped   int64 // deletions that no user made, so far
}

// witness is one more device of an account: it presents a token when the test wants it.
type witness struct {
	fleet.Credential
	id    string
	token string
}

// newWorld makes accounts, for each a device of each kind and a witness, and lets people begin.
func newWorld(t *testing.T, bin string, devices int) *world {
	w := &world{burning: &burning{t: t, bin: bin, dir: t.TempDir()}, front: newFront(t), began: time.Now(), day: max(time.Duration(devices)*30*time.Millisecond, time.Second)}
	w.o = server.Options{Bin: bin, Data: filepath.Join(w.dir, "data")}
	w.command("key", "init", "--data", w.o.Data, "--out", filepath.Join(w.dir, "recovery.txt"))
	w.s = start(t, w.o)
	kinds := fleet.Kinds()
	people := max(devices/len(kinds), 1)
	w.devices = people * len(kinds)
	o := fleet.Options{URL: w.URL, Seed: seed(t), Rates: fleet.DefaultRates(), Life: 60 * 24 * time.Hour, Settling: 10*time.Second + time.Duration(devices*devices)*400*time.Microsecond}
	o.Rates.ResetEvery = 30 * 24 * time.Hour
	o.Speed = float64(24*time.Hour) / float64(w.day)
	for _, k := range kinds {
		o.Clients = append(o.Clients, fleet.Count{Kind: k, N: people})
	}
	c := w.control()
	o.Credentials = devicesOf(t, c, people, len(kinds))
	for i := 0; i < len(o.Credentials); i += len(kinds) {
		login := o.Credentials[i].Login
		d, err := c.AddDevice(t.Context(), login, "witness")
		if err != nil {
			t.Fatal(err)
		}
		w.witnesses = append(w.witnesses, witness{Credential: fleet.Credential{Login: login, Password: d.Password}, id: d.ID.String()})
	}
	w.now("set-up", w.s)
	f, err := fleet.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	if err := f.SetUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.fleet = f
	w.live()
	return w
}

// live lets the fleet live until end is called.
func (w *world) live() {
	ctx, stop := context.WithCancel(w.burning.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.fleet.Live(ctx) }()
	w.end = func() {
		stop()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			w.burning.t.Error(err)
		}
		w.end = func() {}
	}
	w.burning.t.Cleanup(func() { w.end() })
}

func (w *world) control() *control.Client {
	w.burning.t.Helper()
	c, err := control.Dial(w.burning.t.Context(), w.s.Data)
	if err != nil {
		w.burning.t.Fatal(err)
	}
	w.burning.t.Cleanup(func() { c.Close() })
	return c
}

// pass lets every device come at least once, and half a day go by. Nothing may vanish meanwhile.
func (w *world) pass(phase string) {
	w.burning.t.Helper()
	w.now(phase, w.s)
	w.everybody(w.devices, w.day/2)
	w.kept(phase)
	w.burning.t.Logf("%s: over after %v", phase, time.Since(w.began).Round(time.Second))
}

// some lets half a day go by, whoever comes: many at once who are not known are slowed down.
func (w *world) some(phase string) {
	w.burning.t.Helper()
	w.now(phase, w.s)
	w.everybody(w.devices/3, w.day/2)
	w.kept(phase)
}

// kept fails where devices have dropped since the last time what no user deleted.
func (w *world) kept(phase string) {
	w.burning.t.Helper()
	if n := w.fleet.Progress().DeletionsNoUserMade; n > w.dropped {
		w.burning.t.Errorf("%s: %d deletions that no user made", phase, n-w.dropped)
		w.dropped = n
	}
}

// instead starts another server, on a directory of its own below a name.
func (w *world) instead(name string) *server.Server {
	w.burning.t.Helper()
	if err := os.Mkdir(filepath.Join(w.dir, name), 0o700); err != nil {
		w.burning.t.Fatal(err)
	}
	return start(w.burning.t, server.Options{Bin: w.bin, Data: filepath.Join(w.dir, name, "data")})
}

// gone takes the server away from its address, and ends it.
func (w *world) gone(end func(*server.Server) error) {
	w.burning.t.Helper()
	w.closed()
	if err := end(w.s); err != nil {
		w.burning.t.Fatal(err)
	}
}

// rebuild restores the data directory from a vault, and adopts it.
func (w *world) rebuild(vault string) {
	w.burning.t.Helper()
	w.command("restore", "--from", vault, "--key", filepath.Join(w.dir, "recovery.txt"), "--into", w.o.Data)
	w.command("adopt", w.o.Data)
}

// judged ends the fleet's life, lets it settle, and demands that nothing was lost.
func (w *world) judged() *fleet.Result {
	t := w.burning.t
	t.Helper()
	w.end()
	if err := w.fleet.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := w.fleet.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.tell()
	tellFleet(t, r)
	byKind := map[fleet.Kind]int{}
	for _, x := range r.OnlyHere {
		byKind[x.Kind] += x.Items
		t.Logf("only on %s: %d items, %d of them wait: %q", x.Device, x.Items, x.Waiting, x.Hrefs[:min(len(x.Hrefs), 3)])
	}
	t.Logf("%d devices; kept by devices alone, by kind: %v", w.devices, byKind)
	for _, x := range r.Unsettled {
		for line := range strings.Lines(x.Because) {
			if !stuck.MatchString(line) {
				t.Errorf("%s is not at rest: %s", x.Account, line)
			}
		}
	}
	if !r.Good() {
		t.Error("something was lost")
	}
	if r.EditsAcknowledged < int64(w.devices) || r.UserDeletions == 0 {
		t.Error("too little happened to prove anything")
	}
	return r
}

// stuck is a device of Thunderbird's contacts whose token was given up: it keeps all, sends its edits, and hears of nothing new until it is set up again. It is the answer that RFC 6578 demands; other clients list anew on it.
var stuck = regexp.MustCompile(`^\S+/thunderbird-contacts/\d+: REPORT \S+ answers 403\s*$`)

// fleetSize is how many devices live in these tests.
func fleetSize() int {
	if testing.Short() {
		return 10
	}
	return *devicesFlag
}

// TestDevicesOutliveAWrongServer puts in the place of the service, at its address: one that was started on an empty directory, another service with the same people, another service's data, and databases that are only
// there in part, each followed by a restore. Nothing vanishes from a device, and no acknowledged edit is lost.
func TestDevicesOutliveAWrongServer(t *testing.T) {
	w := newWorld(t, program(t), fleetSize())
	w.pass("first day")
	mine := w.tokens()

	w.gone((*server.Server).Kill)
	own := w.o
	w.s = w.instead("empty")
	w.pass("an empty directory")
	w.only("an empty directory", refusedSignIn...)
	w.gone((*server.Server).Stop)

	w.s = w.instead("other")
	theirs := w.people(len(w.witnesses))
	w.some("another service")
	w.only("another service", refusedSignIn...)
	w.foreign(mine, theirs)
	w.gone((*server.Server).Stop)
	w.swapped()

	w.s = start(t, own)
	w.pass("back again")
	r := rand.New(rand.NewPCG(seed(t), 4))
	for _, d := range damages {
		w.gone((*server.Server).Stop)
		d.do(t, r, filepath.Join(own.Data, "holdfast.db"))
		s, err := server.Start(t.Context(), own)
		if err != nil {
			t.Logf("%s: the start is refused: %.300v", d.what, err)
		} else {
			t.Logf("%s: it starts", d.what)
			w.s = s
			w.pass(d.what)
			w.closed()
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.RemoveAll(own.Data); err != nil {
			t.Fatal(err)
		}
		w.rebuild(filepath.Join(w.dir, "holdfast-vault"))
		w.s = start(t, own)
		w.pass("restored after: " + d.what)
	}
	w.judged()
}

// refusedSignIn is what who is not known is answered: 401, and 503 while many who are not known come at once; none where the server was ended below a request.
var refusedSignIn = []int{401, 503, 0}

// people makes the same people in another service, with app passwords that are its own: those cannot be chosen.
func (w *world) people(n int) []fleet.Credential {
	return devicesOf(w.burning.t, w.control(), n, 1)
}

// foreign shows the tokens of one service to another, signed in there: they are nobody's, and bring nobody into doubt.
func (w *world) foreign(tokens []string, signIn []fleet.Credential) {
	t := w.burning.t
	t.Helper()
	for i, c := range signIn {
		if status, body := w.report(c, tokens[i]); status != 403 || !strings.Contains(body, "valid-sync-token") {
			t.Errorf("a token of another service: %d, %s", status, body)
		}
	}
	if list, err := w.control().Incidents(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("%v, %+v", err, list)
	}
}

// swapped puts another service's data directory in the place of this one's, beside this one's vault.
func (w *world) swapped() {
	t := w.burning.t
	t.Helper()
	aside := filepath.Join(w.dir, "aside")
	rename(t, w.o.Data, aside)
	rename(t, filepath.Join(w.dir, "other", "data"), w.o.Data)
	s, err := server.Start(t.Context(), w.o)
	if err != nil {
		t.Logf("another service's data beside this one's vault: the start is refused: %.300v", err)
	} else {
		w.s = s
		w.some("another service's data")
		w.only("another service's data", refusedSignIn...)
		w.gone((*server.Server).Kill)
	}
	if err := os.RemoveAll(w.o.Data); err != nil {
		t.Fatal(err)
	}
	rename(t, aside, w.o.Data)
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// damage is what is left of a database that was written only in part.
type damage struct {
	what string
	do   func(t *testing.T, r *rand.Rand, file string)
}

var damages = []damage{
	{"the database ends in the middle", func(t *testing.T, r *rand.Rand, file string) {
		i, err := os.Stat(file)
		if err == nil {
			err = os.Truncate(file, i.Size()/2)
		}
		if err != nil {
			t.Fatal(err)
		}
	}},
	{"a third of the database is zeros", func(t *testing.T, r *rand.Rand, file string) {
		overwrite(t, file, 1.0/3, 2.0/3, func(b []byte) { clear(b) })
	}},
	{"pages here and there are something else", func(t *testing.T, r *rand.Rand, file string) {
		overwrite(t, file, 0, 1, func(b []byte) {
			for at := 8192; at+4096 <= len(b); at += 4096 {
				if r.IntN(10) == 0 {
					for i := range b[at : at+4096] {
						b[at+i] = byte(r.Uint32())
					}
				}
			}
		})
	}},
}

// overwrite changes the part of a file between two shares of it.
func overwrite(t *testing.T, file string, from, to float64, fn func([]byte)) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := float64(len(b))
	fn(b[int(n*from):int(n*to)])
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDevicesOutliveAnOlderVault loses the data directory and restores it from a copy of the vault that is a day old. Half of the accounts are held by their operator before anybody comes; in the other half a device comes first
// whose token proves the loss. All wait, and keep what they have; then what the newer vault has is brought in, and all go on.
func TestDevicesOutliveAnOlderVault(t *testing.T) {
	w := newWorld(t, program(t), fleetSize())
	for i, status := range w.older(true) {
		if status != 503 {
			t.Errorf("%s: a token of what was lost is answered %d", w.witnesses[i].Login, status)
		}
	}
	if n := w.fleet.Progress().DeletionsNoUserMade; n > 0 {
		t.Fatalf("%d deletions that no user made", n)
	}
	w.only("an older store", 503, 0)
	c := w.control()
	rep, err := c.Repair(t.Context(), control.RepairRequest{From: filepath.Join(w.dir, "newer")}, func(control.Repaired) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("repaired out of the newer vault: %+v", rep)
	w.pass("an older store, repaired")
	w.now("released", w.s)
	waited := 0
	for i, x := range w.witnesses { // what devices alone had proved may be accounted for by now
		switch err := c.Release(t.Context(), x.Login); {
		case err == nil:
			waited++
		case i%2 == 1 || !holdfast.IsKind(err, holdfast.NotFound):
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d accounts waited for a release", waited, len(w.witnesses))
	dismissed := 0
	for n := 1; n > 0; dismissed += n {
		w.pass("released")
		n = w.dismissAll(c)
	}
	w.pass("a day later")
	r := w.judged()
	t.Logf("%d devices waited for what they had seen alone; %d deletions of people did not hold", dismissed, r.DeletionsUndone)
	if dismissed < w.devices/5 {
		t.Error("hardly any device could prove anything")
	}
}

// older brings the fleet to where a store stands behind the address that is a day older than it. warned: its operator holds half of the accounts, and a device with a token comes first in the others; otherwise whoever comes, comes. It returns how these tokens were answered, by witness.
func (w *world) older(warned bool) map[int]int {
	t := w.burning.t
	t.Helper()
	vault, old, newer := filepath.Join(w.dir, "holdfast-vault"), filepath.Join(w.dir, "older"), filepath.Join(w.dir, "newer")
	w.pass("first day")
	w.gone((*server.Server).Stop)
	if err := os.CopyFS(old, os.DirFS(vault)); err != nil {
		t.Fatal(err)
	}
	w.s = start(t, w.o)
	edits := w.fleet.Progress().Edits
	for w.pass("second day"); w.fleet.Progress().Edits < edits+int64(w.devices); {
		time.Sleep(w.day / 10)
	}
	tokens := w.tokens()
	w.gone((*server.Server).Kill)
	rename(t, w.o.Data, filepath.Join(w.dir, "lost"))
	rename(t, vault, newer)
	w.rebuild(old)
	w.s = start(t, w.o)
	c := w.control()
	statuses := map[int]int{}
	for i, x := range w.witnesses {
		switch {
		case !warned:
		case i%2 == 1:
			if _, err := c.Hold(t.Context(), x.Login); err != nil {
				t.Fatal(err)
			}
		default:
			statuses[i], _ = w.report(x.Credential, tokens[i])
		}
	}
	w.now("an older store", w.s)
	w.everybody(w.devices, w.day/2)
	return statuses
}

// dismissAll gives up what held devices alone have seen, and tells how many did.
func (w *world) dismissAll(c *control.Client) (n int) {
	t := w.burning.t
	t.Helper()
	list, err := c.Incidents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if x.Held {
			t.Errorf("%s is held again: %+v", x.Account, x)
		}
		for _, d := range x.Devices {
			if d.State != "held" {
				continue
			}
			n++
			if _, err := c.Dismiss(t.Context(), x.Account, d.ID.String()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

// tokens returns what each witness has seen of its account's address book at this moment.
func (w *world) tokens() (list []string) {
	w.burning.t.Helper()
	for _, x := range w.witnesses {
		status, body := w.report(x.Credential, "")
		found := tokenIn.FindAllStringSubmatch(body, -1)
		if status != 207 || len(found) == 0 {
			w.burning.t.Fatalf("%s: no token: %d", x.Login, status)
		}
		list = append(list, found[len(found)-1][1])
	}
	return list
}

var tokenIn = regexp.MustCompile(`sync-token>([^<]+)</`)

// report sends a sync-collection to the server itself, past the address that devices use.
func (w *world) report(c fleet.Credential, token string) (status int, body string) {
	t := w.burning.t
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "REPORT", "http://"+w.s.Addr+"/dav/addressbooks/"+c.Login+"/default/",
		strings.NewReader(`<?xml version="1.0"?><sync-collection xmlns="DAV:"><sync-token>`+token+`</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`))
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth(c.Login, c.Password)
	q.Header.Set("Depth", "0")
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
