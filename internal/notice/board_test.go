package notice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// box is a way that keeps what it is sent, and fails as long as it is told to.
type box struct {
	name string
	mu   sync.Mutex
	err  error
	got  []string
	ids  []string
}

func (b *box) Name() string { return b.name }

func (b *box) Send(ctx context.Context, n *Notice) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return "", b.err
	}
	b.got, b.ids = append(b.got, n.What+" "+n.Key), append(b.ids, n.ID.String())
	return "taken", nil
}

func (b *box) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// take returns what came since it was last asked.
func (b *box) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := strings.Join(b.got, ", ")
	b.got = nil
	return out
}

// table is a board that is run in a bubble of time, and can be restarted.
type table struct {
	t    *testing.T
	o    Options
	b    *Board
	stop func()
}

func lay(t *testing.T, ways ...Way) *table {
	x := &table{t: t, o: Options{File: filepath.Join(t.TempDir(), "notices.json"), Server: "https://cloud.example.org", Ways: ways}}
	x.start()
	return x
}

func (x *table) start() {
	ctx, cancel := context.WithCancel(x.t.Context())
	x.b = New(x.o)
	ended := make(chan struct{})
	go func() { x.b.Run(ctx); close(ended) }()
	x.stop = func() { cancel(); <-ended }
}

func (x *table) restart() { x.stop(); x.start() }

// waits returns a notice that waits.
func (x *table) waits(i int) Notice {
	x.b.mu.Lock()
	defer x.b.mu.Unlock()
	return x.b.waiting[i].Notice
}

// look has the board look, some time later.
func (x *table) look(after time.Duration, found ...Condition) {
	time.Sleep(after)
	x.b.Look(found)
	synctest.Wait()
}

func want(t *testing.T, b *box, list ...string) {
	t.Helper()
	if got := b.take(); got != strings.Join(list, ", ") {
		t.Errorf("%s was told %q, want %q", b.name, got, list)
	}
}

func late(seconds float64) Condition {
	return Condition{Key: "vault.attic", Severity: Warning, Title: "The vault attic is late", Text: "Look.", Measure: seconds}
}

func TestOnceWorseOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &box{name: "mail"}
		x := lay(t, mail)
		defer func() { x.stop() }()
		x.look(0)
		want(t, mail)
		x.look(time.Minute, late(60))
		want(t, mail, "begins vault.attic")
		x.look(10*time.Second, late(70))
		x.look(time.Hour, late(119))
		want(t, mail)
		x.look(time.Second, late(121))
		want(t, mail, "worse vault.attic")
		x.look(time.Minute, late(300)) // doubled again, a moment after it was told
		want(t, mail)
		x.look(15*time.Minute, late(300))
		want(t, mail, "worse vault.attic")
		c := late(310)
		c.Severity = Critical
		x.look(time.Second, c) // what rises is told at once
		want(t, mail, "worse vault.attic")
		x.look(time.Second, late(310))
		x.look(time.Second, c)
		want(t, mail)
		c.Grade = 2
		x.look(time.Second, c)
		want(t, mail, "worse vault.attic")
		x.look(time.Second)
		x.look(4 * time.Minute)
		want(t, mail)
		x.look(2 * time.Minute)
		want(t, mail, "over vault.attic")
		x.look(time.Hour)
		want(t, mail)
		x.look(time.Hour, late(60))
		want(t, mail, "begins vault.attic")
	})
}

func TestARestartRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &box{name: "mail"}
		x := lay(t, mail)
		defer func() { x.stop() }()
		x.look(0, late(60))
		want(t, mail, "begins vault.attic")
		x.restart()
		x.look(time.Minute, late(80))
		want(t, mail)
		if o := x.b.Conditions(); len(o) != 1 || time.Since(o[0].Since) < time.Minute-time.Second {
			t.Errorf("since when it is so was forgotten: %+v", o)
		}
		x.restart()
		x.look(time.Hour, late(130)) // what was told is still known
		want(t, mail, "worse vault.attic")
		x.look(time.Second)
		x.restart()
		x.look(6 * time.Minute) // also since when it is absent
		want(t, mail, "over vault.attic")
	})
}

func TestFlappingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &box{name: "mail"}
		x := lay(t, mail)
		defer func() { x.stop() }()
		for range 200 {
			x.look(time.Minute, late(60))
			x.look(time.Minute)
		}
		want(t, mail, "begins vault.attic")
		x.look(5 * time.Minute)
		want(t, mail, "over vault.attic")
	})
}

func TestUndeliveredIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail, hook := &box{name: "mail", err: errors.New("no route")}, &box{name: "webhook"}
		x := lay(t, mail, hook)
		defer func() { x.stop() }()
		x.look(0, late(60))
		want(t, hook, "begins vault.attic") // one that is down holds up no other
		x.look(time.Hour)
		x.look(time.Hour)
		want(t, hook, "over vault.attic")
		want(t, mail)
		if w := x.b.Ways()[0]; w.Waiting != 2 || w.Failures < 5 || w.Error != "no route" {
			t.Errorf("%+v", w)
		}
		x.restart()
		synctest.Wait()
		want(t, hook)
		mail.fail(nil)
		x.look(10 * time.Minute)
		want(t, mail, "begins vault.attic", "over vault.attic") // in their order
		x.restart()
		x.look(time.Hour)
		want(t, mail)
	})
}

func TestARefusedNoticeHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		picky := &picky{box: box{name: "webhook"}}
		x := lay(t, picky)
		defer func() { x.stop() }()
		x.look(0, Condition{Key: "bad", Severity: Info})
		x.look(time.Second, Condition{Key: "bad", Severity: Info}, late(60))
		x.look(time.Minute, Condition{Key: "bad", Severity: Info}, late(60))
		want(t, &picky.box, "begins vault.attic")
		first := x.waits(0)
		x.look(72*time.Hour, Condition{Key: "bad", Severity: Info}, late(60)) // it is given up one day, and told anew while it is so
		x.look(time.Hour, Condition{Key: "bad", Severity: Info}, late(60))
		if again := x.waits(0); again.ID == first.ID || again.Key != "bad" {
			t.Errorf("%+v waits after %+v", again, first)
		}
		x.look(time.Minute, late(60))
		x.look(time.Hour, late(60))
		x.look(73*time.Hour, late(60))
		if w := x.b.Ways()[0]; w.Waiting != 0 {
			t.Errorf("%+v", w)
		}
	})
}

// picky refuses what is about one key.
type picky struct{ box }

func (p *picky) Send(ctx context.Context, n *Notice) (string, error) {
	if n.Key == "bad" {
		return "", &Refusal{"422"}
	}
	return p.box.Send(ctx, n)
}

func TestEverythingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &box{name: "mail", err: errors.New("no route")}
		x := lay(t, mail)
		defer func() { x.stop() }()
		var all []Condition
		for i := range 3 * maxOpen {
			all = append(all, Condition{Key: fmt.Sprintf("k%04d", i), Severity: Warning, Title: strings.Repeat("é", 10*maxTitle), Text: "a\nb\x1b[2J" + strings.Repeat("x", 10*maxText)})
		}
		x.look(0, all...)
		open := x.b.Conditions()
		if len(open) != maxOpen || len(open[0].Title) > maxTitle || len(open[0].Text) > maxText || strings.ContainsAny(open[0].Text, "\n\x1b") {
			t.Errorf("%d open, %q", len(open), open[0].Title[:20])
		}
		for i := range all {
			all[i].Severity = Critical
		}
		x.look(time.Hour, all...) // as many again, and the first ones are dropped
		if w := x.b.Ways()[0]; w.Waiting != maxWaiting {
			t.Errorf("%d wait", w.Waiting)
		}
		mail.fail(nil)
		x.look(time.Hour, all...)
		got := mail.take()
		if n := len(strings.Split(got, ", ")); n != maxWaiting || strings.Contains(got, "begins") {
			t.Errorf("%d were delivered", n)
		}
	})
}

func TestWithoutAWayNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := lay(t)
		defer func() { x.stop() }()
		x.look(0, late(60))
		mail := &box{name: "mail"}
		x.stop()
		x.o.Ways = []Way{mail}
		x.start()
		x.look(time.Hour, late(60))
		want(t, mail, "begins vault.attic")
	})
}

func TestAFileThatCannotBeReadOrWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &box{name: "mail"}
		x := lay(t, mail)
		defer func() { x.stop() }()
		x.look(0, late(60))
		want(t, mail, "begins vault.attic")
		if err := os.WriteFile(x.o.File, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		x.restart()
		x.look(time.Second, late(60))
		want(t, mail, "begins vault.attic")
		x.stop()
		x.o.File = filepath.Join(t.TempDir(), "no", "such", "directory")
		x.start()
		x.look(time.Second, late(60))
		x.look(time.Second, late(60))
		want(t, mail, "begins vault.attic") // told all the same, once
	})
}

func TestANoticeKeepsItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail, hook := &box{name: "mail"}, &box{name: "webhook", err: errors.New("no route")}
		x := lay(t, mail, hook)
		defer func() { x.stop() }()
		x.look(0, late(60))
		hook.fail(nil)
		x.restart()
		synctest.Wait()
		if len(hook.ids) != 1 || !slices.Equal(mail.ids, hook.ids) {
			t.Errorf("%v, %v", mail.ids, hook.ids)
		}
	})
}

func TestAllWaysAreTried(t *testing.T) {
	a, b := &box{name: "mail", err: errors.New("no route")}, &box{name: "ntfy"}
	got := New(Options{Ways: []Way{a, b}}).Test(t.Context())
	if len(got) != 2 || got[0].OK || got[0].Error != "no route" || !got[1].OK || got[1].Said != "taken" {
		t.Errorf("%+v", got)
	}
}

// TestWhatIsSureIsOverAtOnce: what was found by looking at everything does not wait to be absent for long, also where a restart lies between.
func TestWhatIsSureIsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &box{name: "mail"}
		x := lay(t, mail)
		defer func() { x.stop() }()
		damage := Condition{Key: "damage.attic", Severity: Critical, Title: "The vault attic holds something damaged", Text: "Look.", Measure: 1, Sure: true}
		for _, again := range []func(){func() {}, x.restart} {
			x.look(time.Minute, damage, late(60))
			mail.take()
			again()
			x.look(time.Second)
			want(t, mail, "over damage.attic")
			if open := x.b.Conditions(); len(open) != 1 || open[0].Key != "vault.attic" {
				t.Errorf("open: %+v", open)
			}
		}
	})
}

// TestWhatReachedNobodyIsToldAnew: the one way was down for longer than notices are kept, or was replaced by another one, and what is wrong is so still.
func TestWhatReachedNobodyIsToldAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &box{name: "mail"}
		x := lay(t, mail)
		defer func() { x.stop() }()
		mail.fail(errors.New("down"))
		x.look(0, late(60))
		for range 80 {
			x.look(time.Hour, late(60))
		}
		mail.fail(nil)
		x.look(time.Hour, late(60))
		x.look(time.Hour, late(60))
		want(t, mail, "begins vault.attic")
		x.look(time.Minute)
		x.look(time.Hour)
		want(t, mail, "over vault.attic")

		mail.fail(errors.New("down"))
		x.look(time.Hour, late(60))
		ntfy := &box{name: "ntfy"}
		x.o.Ways = []Way{ntfy}
		x.restart()
		x.look(time.Minute, late(60))
		want(t, ntfy, "begins vault.attic")

		// What one way has delivered is not told again because another one could not.
		x.o.Ways = []Way{ntfy, mail}
		x.restart()
		c := late(60)
		c.Severity = Critical
		x.look(time.Minute, c)
		for range 80 {
			x.look(time.Hour, c)
		}
		want(t, ntfy, "worse vault.attic")
	})
}

// TestFlappingPushesOutNothing: one condition comes and goes while nobody can be reached, and the others are told all the same once somebody can.
func TestFlappingPushesOutNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mail := &box{name: "mail"}
		x := lay(t, mail)
		defer func() { x.stop() }()
		mail.fail(errors.New("down"))
		lasting := late(60)
		lasting.Key = "damage.attic"
		x.look(0, lasting)
		for range maxWaiting * 2 / 3 {
			x.look(time.Minute, lasting, late(60))
			x.look(time.Minute, lasting)
			x.look(6*time.Minute, lasting)
		}
		mail.fail(nil)
		x.look(time.Hour, lasting)
		x.look(time.Hour, lasting)
		if got := mail.take(); !strings.HasPrefix(got, "begins damage.attic, ") || strings.Count(got, "damage.attic") != 1 {
			t.Errorf("told: %.200s", got)
		}
	})
}
