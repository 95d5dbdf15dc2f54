package fleet

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The table of what clients do with a server's answers, row by row: each kind of device does what its column says, also where that empties it.

// every runs a test for each kind.
func every(t *testing.T, fn func(*rig, Kind)) {
	for _, k := range Kinds() {
		t.Run(string(k), func(t *testing.T) { fn(newRig(t, k), k) })
	}
}

// everything begins every line of a log.
const everything = ""

func TestTroubleEverywhereKeeps(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5000")
		w.WriteHeader(207)
		io.WriteString(w, `<?xml version="1.0"?><multistatus xmlns="DAV:">`)
	}
	notXML := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" { // 207 would be an acknowledgement
			w.WriteHeader(500)
			return
		}
		w.WriteHeader(207)
		io.WriteString(w, `<?xml version="1.0"?><multistatus xmlns="DAV:"><response>`)
	}
	closed := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for name, fn := range map[string]func(http.ResponseWriter, *http.Request){"500": status(500), "503": status(503), "401": status(401), "closed": closed, "cut short": cut, "truncated XML": notXML} {
		t.Run(name, func(t *testing.T) {
			every(t, func(r *rig, k Kind) {
				r.set(r.col, "a", "second")
				r.d.Change(r.item("b"), "mine")
				r.answers(fn, everything)
				r.sync(false)
				r.d.Discover(t.Context())
				r.holds("a", "b", "c")
				if !r.item("b").Dirty || r.item("b").Body != "mine" {
					t.Error("the edit is gone")
				}
				r.rightAgain()
				r.clock.Advance(3 * time.Hour)
				r.sync(true)
				r.holds("a", "b", "c")
				if r.item("a").Body != "second" {
					t.Error("it did not go on")
				}
			})
		})
	}
}

func TestThunderbirdDisablesACalendar(t *testing.T) {
	r := newRig(t, ThunderbirdCalendar)
	r.d.Restart()
	r.answers(status(401), "PROPFIND "+calendar)
	r.sync(false)
	r.rightAgain()
	r.set(calendar, "d", "new")
	r.sync(true)
	r.holds("a", "b", "c")
	r.d.Restart()
	r.sync(true)
	r.holds("a", "b", "c", "d")
}

func TestACollectionThatIsRefusedInASyncKeeps(t *testing.T) {
	for _, code := range []int{403, 404, 410} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			every(t, func(r *rig, k Kind) {
				r.set(r.col, "a", "second")
				r.answers(status(code), "PROPFIND "+r.col, "sync-collection", "calendar-query", "calendar-multiget", "addressbook-multiget")
				r.sync(false)
				r.holds("a", "b", "c")
				if n := r.asked("sync-collection"); k == ThunderbirdCalendar && n != 3 { // the first sync, the changes, and everything
					t.Errorf("a 4xx on the REPORT drops the token and lists everything; asked %d times", n)
				}
			})
		})
	}
}

func TestACollectionThatIsNotListedAndItself404(t *testing.T) {
	for _, code := range []int{403, 404, 410} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			every(t, func(r *rig, k Kind) {
				r.d.Change(r.item("b"), "mine")
				home := strings.TrimSuffix(r.col, "default/")
				r.answers(func(w http.ResponseWriter, q *http.Request) {
					if q.URL.Path == home {
						multi(w, member(home, "<resourcetype><collection/></resourcetype>"))
						return
					}
					w.WriteHeader(code)
				}, "PROPFIND "+home)
				_, err := r.d.Discover(t.Context())
				switch k {
				case DAVx5, Evolution: // unsynced edits too
					r.holds()
					if err != nil || len(r.dropped) != 3 {
						t.Errorf("%v; dropped %q", err, r.dropped)
					}
				default:
					r.holds("a", "b", "c")
				}
			})
		})
	}
}

// It is not enough for DAVx5 that a home does not list a collection.
func TestDAVx5KeepsACollectionThatIsThere(t *testing.T) {
	r := newRig(t, DAVx5)
	home := "/dav/addressbooks/1/"
	r.mu.Lock()
	r.wrong = func(w http.ResponseWriter, q *http.Request, _ string) bool {
		switch {
		case q.URL.Path == home:
			multi(w, "")
			return true
		case q.URL.Path == book:
			w.WriteHeader(503)
			return true
		}
		return false
	}
	r.mu.Unlock()
	if _, err := r.d.Discover(t.Context()); err == nil {
		t.Error("a 503 of the collection was passed over")
	}
	r.holds("a", "b", "c")
}

func TestAnInvalidToken(t *testing.T) {
	refuse := func(code int, body string) func(*rig) {
		return func(r *rig) {
			r.wrong = func(w http.ResponseWriter, q *http.Request, b string) bool {
				if !strings.Contains(b, "<sync-token>token") {
					return false
				}
				w.WriteHeader(code)
				io.WriteString(w, body)
				return true
			}
		}
	}
	valid := refuse(403, `<error xmlns="DAV:"><valid-sync-token/></error>`)
	for _, x := range []struct {
		kind   Kind
		name   string
		refuse func(*rig)
		well   bool
		left   []string
	}{
		{DAVx5, "403", valid, true, []string{"b", "c"}}, // a is not listed; b is dirty
		{ThunderbirdCalendar, "403", valid, true, []string{"b", "c"}},
		{ThunderbirdContacts, "403", valid, false, []string{"a", "b", "c"}}, // stuck
		{ThunderbirdContacts, "400", refuse(400, ""), true, []string{"b", "c"}},
		{Evolution, "403", valid, true, []string{"b", "c"}},
		{Evolution, "403 of something else", refuse(403, ""), false, []string{"a", "b", "c"}},
		{Evolution, "412", refuse(412, ""), true, []string{"b", "c"}},
	} {
		t.Run(string(x.kind)+" "+x.name, func(t *testing.T) {
			r := newRig(t, x.kind)
			r.forget(r.col, "a") // nothing but a full listing tells
			x.refuse(r)
			r.sync(x.well)
			r.holds(x.left...)
			if n := 3 - len(x.left); len(r.dropped) != n {
				t.Errorf("dropped %q", r.dropped)
			}
		})
	}
}

// What is dirty and not listed outlives the full listing of DAVx5, and of no other.
func TestUnlistedUnlessDirty(t *testing.T) {
	for _, k := range []Kind{DAVx5, Evolution, ThunderbirdCalendar} {
		t.Run(string(k), func(t *testing.T) {
			r := newRig(t, k)
			r.forget(r.col, "a")
			r.d.Change(r.item("a"), "mine")
			r.c().token, r.c().state = "", ""
			r.answers(status(403), "PUT") // the upload does not come through
			_, err := r.d.Sync(t.Context())
			if k == DAVx5 {
				if err == nil { // it stops here; what follows is what it would do
					t.Error("403 on a PUT is a hard error")
				}
				l := listed{full: true, what: "a listing"}
				if err := r.d.davx5Apply(&session{Context: t.Context()}, r.c(), &l); err != nil {
					t.Fatal(err)
				}
				r.holds("a")
				return
			}
			r.holds("b", "c")
		})
	}
}

func TestAnEmptyFullListing(t *testing.T) {
	every(t, func(r *rig, k Kind) {
		empty := func(w http.ResponseWriter, _ *http.Request) { multi(w, "<sync-token>token-1</sync-token>") }
		r.c().token, r.c().state = "", ""
		r.set(r.col, "a", "second")
		if k == Vdirsyncer || k == ThunderbirdContacts || k == Evolution {
			r.mu.Lock()
			r.wrong = func(w http.ResponseWriter, q *http.Request, _ string) bool {
				if q.Method == "PROPFIND" && q.URL.Path == r.col && q.Header.Get("Depth") == "1" {
					empty(w, q)
					return true
				}
				return false
			}
			r.mu.Unlock()
		} else {
			r.answers(empty, "sync-collection")
		}
		if k == Vdirsyncer {
			r.sync(false) // refused
			r.holds("a", "b", "c")
			return
		}
		r.sync(true)
		r.holds()
		if len(r.dropped) != 3 {
			t.Errorf("dropped %q", r.dropped)
		}
	})
}

func TestAnEmptyListingOfEventsWipesDAVx5(t *testing.T) {
	r := newRigIn(t, DAVx5, false)
	r.set(calendar, "a", "second")
	r.answers(func(w http.ResponseWriter, _ *http.Request) { multi(w, "") }, "calendar-query")
	r.sync(true)
	r.holds()
}

func TestAFullListingThatMissesSome(t *testing.T) {
	every(t, func(r *rig, k Kind) {
		r.forget(r.col, "b")
		r.c().token, r.c().state = "", ""
		r.sync(true)
		r.holds("a", "c")
	})
}

func TestTheSameETagIsKeptWithoutAGet(t *testing.T) {
	every(t, func(r *rig, k Kind) {
		r.c().token, r.c().state = "", ""
		r.mu.Lock()
		r.log = nil
		c := r.cols[r.col]
		a := c.items["a"]
		c.items["a"] = fakeItem{"other octets under the same ETag", a.seq}
		r.mu.Unlock()
		r.sync(true)
		r.holds("a", "b", "c")
		if n := r.asked("GET") + r.asked("addressbook-multiget") + r.asked("calendar-multiget"); n != 0 {
			t.Errorf("%d GETs and multigets: %q", n, r.log)
		}
		if r.item("a").Body != "first of a" {
			t.Error("it was downloaded")
		}
	})
}

func TestANewETagAndThen404(t *testing.T) {
	every(t, func(r *rig, k Kind) {
		r.set(r.col, "a", "second")
		r.mu.Lock()
		r.wrong = func(w http.ResponseWriter, q *http.Request, b string) bool {
			if strings.Contains(b, "multiget") {
				multi(w, notFound(r.col+"a"))
				return true
			}
			if k == ThunderbirdContacts && strings.Contains(b, "sync-collection") { // it asks for data at once: an ETag, and 404 of the data
				multi(w, "<response><href>"+r.col+"a</href><propstat><prop><getetag>&quot;9&quot;</getetag></prop><status>HTTP/1.1 200 OK</status></propstat>"+
					"<propstat><prop><CARD:address-data/></prop><status>HTTP/1.1 404 Not Found</status></propstat></response><sync-token>token-9</sync-token>")
				return true
			}
			return false
		}
		r.mu.Unlock()
		switch k {
		case ThunderbirdCalendar, Evolution:
			r.sync(true)
			r.holds("b", "c")
		case Vdirsyncer: // the pair ends
			r.sync(false)
			r.holds("a", "b", "c")
		default:
			r.sync(true)
			r.holds("a", "b", "c")
		}
	})
}

func TestATokenAnsweredWithAllThatIsThere(t *testing.T) {
	every(t, func(r *rig, k Kind) {
		if k == Vdirsyncer {
			return // it has no tokens
		}
		r.forget(r.col, "a")
		r.mu.Lock()
		r.wrong = func(w http.ResponseWriter, q *http.Request, b string) bool {
			if !strings.Contains(b, "<sync-token>token") {
				return false
			}
			c := r.cols[r.col]
			inner := ""
			for _, name := range []string{"b", "c"} {
				inner += member(r.col+name, data(c, c.items[name]))
			}
			multi(w, inner+"<sync-token>token-9</sync-token>")
			return true
		}
		r.mu.Unlock()
		r.sync(true)
		r.holds("a", "b", "c")
	})
}

// A calendar of DAVx5 has no tokens: each listing is full, and deletes (note 1). An unchanged state ends the sync before any listing.
func TestDAVx5CalendarsListInFull(t *testing.T) {
	r := newRigIn(t, DAVx5, false)
	r.forget(calendar, "a")
	r.mu.Lock()
	r.cols[calendar].seq-- // the state is what it was
	r.log = nil
	r.mu.Unlock()
	r.sync(true)
	r.holds("a", "b", "c")
	if n := r.asked("calendar-query"); n != 0 {
		t.Errorf("%d listings though nothing had changed", n)
	}
	r.set(calendar, "d", "new")
	r.sync(true)
	r.holds("b", "c", "d")
}

func TestDAVx5HonoursRetryAfter(t *testing.T) {
	for _, x := range []struct {
		header string
		wait   time.Duration
	}{{"5", time.Minute}, {"300", 5 * time.Minute}, {"864000", 2 * time.Hour}, {"", 15 * time.Minute}} {
		r := newRig(t, DAVx5)
		r.answers(func(w http.ResponseWriter, _ *http.Request) {
			if x.header != "" {
				w.Header().Set("Retry-After", x.header)
			}
			w.WriteHeader(503)
		}, everything)
		r.sync(false)
		r.rightAgain()
		r.set(book, "d", "new")
		r.clock.Advance(x.wait - time.Second)
		r.sync(true)
		r.holds("a", "b", "c")
		r.clock.Advance(time.Second)
		r.sync(true)
		r.holds("a", "b", "c", "d")
	}
}

func TestDAVx5SendsAnewWhatIsMissing(t *testing.T) {
	for _, code := range []int{404, 410} {
		r := newRig(t, DAVx5)
		r.forget(book, "a")
		r.d.Change(r.item("a"), "mine")
		r.mu.Lock()
		r.wrong = func(w http.ResponseWriter, q *http.Request, _ string) bool {
			if q.Method == "PUT" && q.Header.Get("If-Match") != "" {
				w.WriteHeader(code)
				return true
			}
			return false
		}
		r.mu.Unlock()
		r.sync(true)
		r.holds("a", "b", "c")
		if it := r.cols[book].items["a"]; it.body != "mine" {
			t.Errorf("%d: the server has %q", code, it.body)
		}
	}
}

func TestDAVx5GivesItsEditUpOn412And409(t *testing.T) {
	for _, code := range []int{412, 409} {
		r := newRig(t, DAVx5)
		r.set(book, "a", "of another")
		r.d.Change(r.item("a"), "mine")
		r.answers(status(code), "PUT")
		r.sync(true)
		r.holds("a", "b", "c")
		if it := r.item("a"); it.Body != "of another" || it.Dirty || len(r.overwritten) != 1 {
			t.Errorf("%d: %+v, overwritten %q", code, it, r.overwritten)
		}
	}
	// Parked, and then deleted by a 404 of sync-collection.
	r := newRig(t, DAVx5)
	r.unset(book, "a")
	r.d.Change(r.item("a"), "mine")
	r.answers(status(412), "PUT")
	r.sync(true)
	r.holds("b", "c")
	if len(r.dropped) != 1 {
		t.Errorf("dropped %q", r.dropped)
	}
}

func TestDAVx5PassesOverWhatADeleteIsAnswered(t *testing.T) {
	for _, code := range []int{403, 412, 500, 503} {
		r := newRig(t, DAVx5)
		r.d.Delete(r.c(), r.item("a"))
		r.answers(status(code), "DELETE")
		r.sync(true)
		r.holds("b", "c")
		if len(r.dropped) != 0 {
			t.Errorf("its person deleted it: %q", r.dropped)
		}
		r.rightAgain()
		r.c().token, r.c().state = "", ""
		r.sync(true)
		r.holds("a", "b", "c") // it comes back with a listing
	}
}

func TestDAVx5ResetsEditsWithoutPrivileges(t *testing.T) {
	r := newRig(t, DAVx5)
	r.cols[book].readOnly = true
	if _, err := r.d.Discover(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.d.Change(r.item("a"), "mine")
	r.d.Delete(r.c(), r.item("b"))
	r.d.Create(r.c(), book+"d", "new")
	r.sync(true)
	r.holds("a", "b", "c")
	if r.item("a").Body != "first of a" || len(r.overwritten) != 1 || len(r.dropped) != 1 {
		t.Errorf("%+v, overwritten %q, dropped %q", r.item("a"), r.overwritten, r.dropped)
	}
}

func TestUploadsComeBeforeTheListing(t *testing.T) {
	for _, k := range []Kind{DAVx5, ThunderbirdCalendar, ThunderbirdContacts, Evolution} {
		t.Run(string(k), func(t *testing.T) {
			r := newRig(t, k)
			r.d.Change(r.item("a"), "mine")
			r.forget(r.col, "b")
			r.c().token, r.c().state = "", ""
			r.answers(status(503), "PUT")
			r.sync(false)
			r.holds("a", "b", "c")
		})
	}
}

func TestThunderbirdContactsWriteBlindly(t *testing.T) {
	r := newRig(t, ThunderbirdContacts)
	r.set(book, "a", "of another")
	r.set(book, "b", "of another")
	r.d.Change(r.item("a"), "mine")
	r.d.Delete(r.c(), r.item("b"))
	r.sync(true)
	r.holds("a", "c")
	if r.cols[book].items["a"].body != "mine" {
		t.Error("it looked first")
	}
	if _, there := r.cols[book].items["b"]; there {
		t.Error("it looked before it deleted")
	}
}

// No client sends again what the server lost (note 8).
func TestNobodySendsAgainWhatWasLost(t *testing.T) {
	every(t, func(r *rig, k Kind) {
		r.mu.Lock()
		delete(r.cols[r.col].items, "a") // and no state tells of it
		r.mu.Unlock()
		r.sync(true)
		if k != Vdirsyncer {
			r.holds("a", "b", "c") // kept: and not uploaded
		}
		if n := r.asked("PUT"); n != 0 {
			t.Errorf("%d PUTs", n)
		}
	})
}

// Each client sends its people's edits, and others receive them.
func TestEditsTravel(t *testing.T) {
	every(t, func(r *rig, k Kind) {
		r.d.Change(r.item("a"), "mine")
		r.d.Delete(r.c(), r.item("b"))
		r.d.Create(r.c(), r.col+"d", "new")
		r.sync(true)
		var there []string
		for _, name := range []string{"a", "b", "c", "d"} {
			if it, ok := r.cols[r.col].items[name]; ok {
				there = append(there, name+": "+it.body)
			}
		}
		if want := []string{"a: mine", "c: first of c", "d: new"}; !slices.Equal(there, want) {
			t.Errorf("the server has %q", there)
		}
		r.unset(r.col, "c")
		r.set(r.col, "e", "of another")
		r.sync(true)
		r.holds("a", "d", "e")
		if changed, err := r.d.Sync(t.Context()); changed || err != nil {
			t.Errorf("nothing is new: %v, %v", changed, err)
		}
		if r.acknowledged != 3 || len(r.overwritten) != 0 {
			t.Errorf("%d acknowledged, overwritten %q", r.acknowledged, r.overwritten)
		}
	})
}

// In a conflict each client does what it does, and says what was given up.
func TestConflicts(t *testing.T) {
	every(t, func(r *rig, k Kind) {
		r.set(r.col, "a", "of another")
		r.d.Change(r.item("a"), "mine "+string(k))
		r.sync(true)
		server, mine := r.cols[r.col].items["a"].body, r.item("a").Body
		if server != mine {
			t.Errorf("the server has %q, the device %q", server, mine)
		}
		if lost := server == "of another"; lost != (len(r.overwritten) == 1) {
			t.Errorf("the server has %q, given up: %q", server, r.overwritten)
		}
	})
}

func TestVdirsyncerSendsAnewWhatWasDeletedThereAndChangedHere(t *testing.T) {
	r := newRig(t, Vdirsyncer)
	r.unset(book, "a")
	r.d.Change(r.item("a"), "mine")
	r.sync(true)
	r.holds("a", "b", "c")
	if r.cols[book].items["a"].body != "mine" {
		t.Error("it was not uploaded")
	}
}
