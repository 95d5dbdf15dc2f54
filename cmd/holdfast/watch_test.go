package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/notice"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/restore"
	"holdfast/internal/scrub"
	"holdfast/internal/vfs"
)

// keysOf says conditions in short.
func keysOf(list []notice.Condition) string {
	var out []string
	for _, c := range list {
		out = append(out, c.Key+" "+string(c.Severity))
	}
	return strings.Join(out, ", ")
}

// watching returns a watcher over a store with its first vault, of which nothing is wrong but what every new store lacks.
func watching(t *testing.T) (*watcher, *opened) {
	t.Helper()
	c := testConfig(t)
	o := opening(t, c)
	t.Cleanup(o.close)
	w := newWatcher(&server{c: c, log: slog.New(slog.DiscardHandler), store: o})
	w.gate = func() error { return nil }
	return w, o
}

func TestWhatIsWrongWithAVault(t *testing.T) {
	w, _ := watching(t)
	w.c.Vault.Late = time.Minute
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	whole := relay.VaultStatus{Name: "attic", Mode: "async", State: relay.Whole, Since: start, LastRead: at(0)}
	with := func(v relay.VaultStatus, fn func(*relay.VaultStatus)) relay.VaultStatus { fn(&v); return v }
	away := with(whole, func(v *relay.VaultStatus) { v.State, v.Reason = relay.Unreachable, "the cable is out" })
	steps := []struct {
		at   int
		v    relay.VaultStatus
		want string
	}{
		{0, whole, ""},
		{10, with(whole, func(v *relay.VaultStatus) { v.LagChanges, v.LagSeconds = 3, 10 }), ""},
		{44, with(whole, func(v *relay.VaultStatus) { v.LagChanges, v.LagSeconds, v.LastRead = 3, 44, at(44) }), ""},
		{45, with(whole, func(v *relay.VaultStatus) { v.LagChanges, v.LagSeconds, v.LastRead = 3, 45, at(45) }), "vault.attic warning"}, // only what is late tells
		{45, with(whole, func(v *relay.VaultStatus) { v.LagChanges, v.LagSeconds, v.LastRead, v.Mode = 3, 45, at(45), "sync" }), "vault.attic critical"},
		{45, with(whole, func(v *relay.VaultStatus) { v.State, v.LagChanges, v.LagSeconds = relay.Behind, 3, 45 }), "vault.attic warning"},
		{45, whole, "vault.attic warning"}, // it hangs: nothing was read back for so long
		{50, with(whole, func(v *relay.VaultStatus) { v.LastRead = at(49) }), ""},
		{60, away, ""},
		{70, with(away, func(v *relay.VaultStatus) { v.State, v.Since = relay.Behind, at(70) }), ""}, // for a moment, as each time that it is opened
		{75, away, "vault.attic warning"},
		{76, with(away, func(v *relay.VaultStatus) { v.State, v.Since = relay.Behind, at(76) }), "vault.attic warning"},
		{77, with(away, func(v *relay.VaultStatus) { v.State = relay.Full }), "vault.attic warning"},
		{78, with(away, func(v *relay.VaultStatus) { v.State = relay.Damaged }), "vault.attic critical"},
		{79, with(away, func(v *relay.VaultStatus) { v.State = relay.Fenced }), "vault.attic critical"},
		{80, with(whole, func(v *relay.VaultStatus) { v.LastRead = at(80) }), ""},
		{82, with(whole, func(v *relay.VaultStatus) { v.LastRead, v.Lied = at(82), at(23) }), "vault.attic critical"},
		{83, with(whole, func(v *relay.VaultStatus) { v.LastRead, v.Lied = at(83), at(23) }), ""},
		{90, with(away, func(v *relay.VaultStatus) { v.State = relay.Opening }), ""},
		{91, with(whole, func(v *relay.VaultStatus) { v.State, v.Since = relay.Filling, at(91) }), ""},
		{104, with(away, func(v *relay.VaultStatus) { v.State, v.Since = relay.Full, at(104) }), ""},
		{105, with(away, func(v *relay.VaultStatus) { v.State, v.Since = relay.Full, at(104) }), "vault.attic warning"}, // a new one that fills up again and again
		{130, with(whole, func(v *relay.VaultStatus) { v.State, v.Since = relay.Filling, at(110) }), ""},
	}
	grade := 0
	for _, x := range steps {
		got := w.vault(x.v, at(x.at))
		if keysOf(got) != x.want {
			t.Errorf("at %d, %s, %v behind: %q, want %q", x.at, x.v.State, x.v.LagSeconds, keysOf(got), x.want)
		}
		if len(got) > 0 && x.at >= 75 && x.at < 80 {
			if got[0].Grade < grade || !strings.Contains(got[0].Text, "the cable is out") {
				t.Errorf("at %d: %+v", x.at, got[0])
			}
			grade = got[0].Grade
		}
	}
}

func TestWhatIsWrongWithLargeFiles(t *testing.T) {
	w, _ := watching(t)
	w.c.Vault.Late = time.Minute
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	v := relay.VaultStatus{Name: "attic", Mode: "async", State: relay.Whole}
	full, missing := relay.Files{Fault: "its disk is full"}, relay.Files{Missing: 2}
	for _, x := range []struct {
		at    int
		mode  string
		state relay.State
		f     relay.Files
		want  string
	}{
		{0, "async", relay.Whole, relay.Files{Moving: 1, Of: 1 << 30}, ""},
		{1, "async", relay.Whole, full, ""},
		{15, "async", relay.Whole, full, ""},
		{16, "async", relay.Whole, full, "large.attic warning"},
		{17, "sync", relay.Whole, full, "large.attic critical"},
		{18, "sync", relay.Full, full, ""}, // that is told as what it is
		{19, "sync", relay.Whole, missing, "files.attic critical"},
		{20, "sync", relay.Unreachable, missing, "files.attic critical"},
		{21, "sync", relay.Whole, relay.Files{}, ""},
	} {
		v.Mode, v.State, v.Files = x.mode, x.state, x.f
		if got := keysOf(w.files(v, start.Add(time.Duration(x.at)*time.Second))); got != x.want {
			t.Errorf("at %d: %q, want %q", x.at, got, x.want)
		}
	}
}

func TestWhatIsWrongWithFilesThatComeBack(t *testing.T) {
	w, o := watching(t)
	w.c.Vault.Late = time.Minute
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	stuck := errors.New("the disk is full")
	o.back.state.Files, o.back.state.Octets, o.back.left = 3, 5<<20, map[holdfast.ID]restore.BlobCount{}
	for _, x := range []struct {
		at   int
		do   func()
		want string
	}{
		{0, func() {}, ""},
		{1, func() { o.back.ended(stuck) }, ""},
		{15, func() {}, ""},
		{16, func() {}, "returning warning"},
		{20, func() { o.back.passed(restore.BlobProgress{Came: 1}) }, ""}, // it goes on
		{30, func() { o.back.ended(stuck) }, ""},
		{45, func() {}, "returning warning"},
		{46, func() { w.board.Look(w.comingBack(start.Add(46 * time.Second))); o.back.tried = false }, "returning warning"}, // the next process has not looked yet
		{47, func() { o.back.ended(nil) }, ""},
	} {
		x.do()
		got := w.comingBack(start.Add(time.Duration(x.at) * time.Second))
		if keysOf(got) != x.want {
			t.Errorf("at %d: %q, want %q", x.at, keysOf(got), x.want)
		}
		if x.want != "" && (!strings.Contains(got[0].Text, "the disk is full") || !strings.HasPrefix(got[0].Title, "3 large files") && x.at < 20) {
			t.Errorf("at %d: %+v", x.at, got[0])
		}
	}
	o.back.ended(stuck)
	w.look(start)
	if got := keysOf(w.look(start.Add(time.Minute))); !strings.Contains(got, "returning warning") {
		t.Errorf("it is not looked at: %q", got)
	}
}

func TestWhatIsWrongOtherwise(t *testing.T) {
	w, o := watching(t)
	now := time.Now()
	w.c.Doctor.FreeWarn, w.c.Doctor.FreeFail = 1, 1
	look := func(after time.Duration) string { return keysOf(w.look(now.Add(after))) }
	const always = "copies.domain info, key warning"
	if got := look(0); got != always {
		t.Errorf("a new store: %q", got)
	}
	met := true
	w.met = func() bool { return met }
	doubts := 0
	w.bursts = func() []burstNotice { return nil }
	w.doubts = func() []core.Doubt { return make([]core.Doubt, doubts) }
	for _, x := range []struct {
		name, want string
		change     func()
		after      time.Duration
	}{
		{"doubt", "copies.domain info, key warning, accounts.doubt critical", func() { doubts = 2 }, 0},
		{"none", always, func() { doubts = 0 }, 0},
		{"below the policy for a moment", always, func() { met = false }, 0},
		{"below the policy", "copies.policy critical, " + always, func() {}, w.c.Vault.Late / 4},
		{"back", always, func() { met = true }, 0},
		{"damage", "copies.domain info, damage.local critical, key warning", func() {
			put(t, o.keeper.scrubs, reading{At: now, Findings: 2, Damaged: []string{"packs/1"}})
		}, 0},
		{"mended", always, func() { put(t, o.keeper.scrubs, reading{At: now}) }, 0},
		{"damage in the engine", "copies.domain info, damage.engine critical, key warning", func() {
			w.scrubbed = func() scrub.State { return scrub.State{Last: &scrub.Round{Began: now, Found: 3, Mended: 2}} }
		}, 0},
		{"mended too, and not read for too long", "vault.local critical, copies.domain info, scrub.local warning, scrub.engine warning, key warning", func() {
			w.scrubbed = func() scrub.State { return scrub.State{Last: &scrub.Round{Began: now, Found: 3, Mended: 3}} }
		}, w.c.Scrub.Within + time.Hour},
		{"the clock put back", "copies.domain info, key warning, clock warning", func() { w.newest = func() time.Time { return now.Add(time.Hour) } }, 0},
		{"by a little", always, func() { w.newest = func() time.Time { return now.Add(time.Minute) } }, 0},
		{"a reading that is to come", "copies.domain info, key warning, clock warning", func() {
			w.newest = func() time.Time { return time.Time{} }
			put(t, o.keeper.scrubs, reading{At: now.Add(48 * time.Hour)})
		}, 0},
		{"read now", always, func() { put(t, o.keeper.scrubs, reading{At: now}) }, 0},
		{"mended before anybody looked", "copies.domain info, damage.engine warning, key warning", func() {
			w.scrubbed = func() scrub.State {
				return scrub.State{Last: &scrub.Round{Began: now, Ended: &now, Found: 3, Mended: 3}}
			}
		}, 0},
		{"read", always, func() { w.scrubbed = func() scrub.State { return scrub.State{} } }, 0},
		{"nothing read for two weeks", "vault.local critical, copies.domain info, scrub.local warning, key warning", func() {}, 2 * w.c.Vault.Scrub},
		{"little room", "copies.domain info, key warning, disk " + w.c.Data + " warning", func() { w.c.Doctor.FreeWarn = 1 << 62 }, 0},
		{"no room", "copies.domain info, key warning, disk " + w.c.Data + " critical", func() { w.c.Doctor.FreeFail = 1 << 62 }, 0},
		{"full", "copies.domain info, key warning, disk " + w.c.Data + " critical", func() { w.readOnly = func() bool { return true } }, 0},
		{"not begun, for a moment", "key warning, disk " + w.c.Data + " critical", func() { w.gate = func() error { return errors.New("no vault") } }, 0},
		{"not begun", "start critical, key warning, disk " + w.c.Data + " critical", func() {}, w.c.Vault.Late},
	} {
		x.change()
		if got := look(x.after); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}

func put(t *testing.T, s *scrubs, x reading) {
	t.Helper()
	if err := s.put(firstVaultName, x); err != nil {
		t.Fatal(err)
	}
}

// TestWhatFollows wants each text to say what follows from the thing that is wrong, and not from another that is like it.
func TestWhatFollows(t *testing.T) {
	w, o := watching(t)
	now := time.Now()
	text := func(list []notice.Condition) string {
		if len(list) == 0 {
			t.Fatal("nothing is wrong")
		}
		return list[0].Title + ". " + list[0].Text
	}
	apart := &registry.Entry{Name: "attic", Kind: kindDir, Mode: registry.Async}
	waited := &registry.Entry{Name: "cellar", Kind: kindDir, Mode: registry.Sync}
	failing := relay.VaultStatus{Name: "friend", Kind: "remote", Location: "https://friend.example", Mode: "async", State: relay.Unreachable}
	for _, x := range []struct{ name, got, has, lacks string }{
		{"the disk of the data", w.whenFull(nil), "nothing more is stored", "vault"},
		{"a vault that follows behind", w.whenFull(apart), "attic takes no more changes, and falls behind; all else goes on", "nothing more is stored"},
		{"a vault that changes wait for", w.whenFull(waited), "changes are refused", "all else goes on"},
		{"a remote vault", w.failing(notice.Condition{}, failing).Text, "its server runs", "mounted"},
		{"a directory", w.failing(notice.Condition{}, relay.VaultStatus{Kind: kindDir, Location: "/mnt/attic"}).Text, "/mnt/attic is there, mounted", "its server"},
		{"one failure domain", w.copies(o.keeper.relay.Status(), now)[0].Text, "`holdfast vault status` says why", "NAME KIND LOCATION --domain LABEL."},
	} {
		if !strings.Contains(x.got, x.has) || strings.Contains(x.got, x.lacks) {
			t.Errorf("%s: %q, want %q and not %q", x.name, x.got, x.has, x.lacks)
		}
	}
	for _, x := range []struct {
		v    relay.VaultStatus
		want string
	}{
		{relay.VaultStatus{Kind: kindDir, WhySame: "both are on the disk sda"}, "this disk"},
		{relay.VaultStatus{Kind: kindDir, WhySame: vfs.NotKnown + " on which disk /srv lies"}, "for all that is known"},
		{relay.VaultStatus{Kind: kindRemote, WhySame: "its server runs on this machine"}, "this machine"},
	} {
		if got := failsWith(x.v); !strings.HasSuffix(got, x.want) && !strings.Contains(got, x.want+":") || strings.Contains(got, "/srv") {
			t.Errorf("%+v fails with %q", x.v, got)
		}
	}
	w.c.Policy.OnFailure = "degraded"
	if got := w.whenFull(waited); !strings.Contains(got, "acknowledged without it") {
		t.Errorf("degraded: %q", got)
	}
	w.readOnly = func() bool { return true }
	if got := text(w.disks(now)); !strings.Contains(got, "is full, and nothing is stored") || strings.Contains(got, "are free") || strings.Contains(got, "When it is full") {
		t.Errorf("a full disk: %q", got)
	}
	if paths, vaults := w.places(); len(paths) != 2 || paths[0] != w.c.Data || vaults[paths[1]].Name != firstVaultName {
		t.Errorf("the disks of %v are looked at", paths)
	}
}
