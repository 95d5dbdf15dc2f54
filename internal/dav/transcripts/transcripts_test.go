package transcripts_test

import (
	"embed"
	"net/http"
	"path"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/dav/caldav"
	"holdfast/internal/dav/carddav"
	"holdfast/internal/dav/onesnap"
	"holdfast/internal/dav/transcripts"
	"holdfast/internal/locks"
	"holdfast/internal/store/memory"
	"holdfast/internal/uploads"
	"holdfast/internal/vfs/crashfs"
)

//go:embed testdata/*.txt
var texts embed.FS

// world makes a server with one account.
func world(t *testing.T) transcripts.World {
	t.Helper()
	w, _ := worlds(t)
	return w
}

// worldFor makes what a transcript needs: where something is shared, Grace shares her calendar with the user.
func worldFor(t *testing.T, tr *transcripts.Transcript) transcripts.World {
	t.Helper()
	w, share := worlds(t)
	for _, g := range tr.Given {
		if g.Kind == "shared" {
			share(&w)
		}
	}
	return w
}

// worlds makes a server with the accounts of Ada and Grace: the world as Ada sees it, and how Grace shares her calendar.
func worlds(t *testing.T) (transcripts.World, func(*transcripts.World)) {
	t.Helper()
	cards, events := carddav.Options{MaxResource: 10 << 20}, caldav.Options{MaxResource: 10 << 20}
	engine := &onesnap.Engine{Engine: memory.New(), Nested: func() { t.Error("a request that holds a snapshot asks for another one") }}
	s := core.New(core.Options{Engine: engine, Limits: core.Limits{DirectoryTTL: 1}, Judges: map[holdfast.CollectionType]core.Judge{
		holdfast.TypeAddressbook: carddav.Judge(cards), holdfast.TypeCalendar: caldav.Judge(events), holdfast.TypeFolder: dav.JudgeFile, holdfast.TypeHome: dav.JudgeFile}})
	arriving, err := uploads.Open(uploads.Options{FS: crashfs.New(crashfs.Options{}).FS(), Dir: "/uploads"})
	if err != nil {
		t.Fatal(err)
	}
	person := func(email string) (holdfast.Account, http.Handler) {
		account, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, email, "")
		if err != nil {
			t.Fatal(err)
		}
		h := dav.New(dav.Options{Core: s, Extensions: append(caldav.Extensions(events), carddav.Extension(cards)), SpoolDir: t.TempDir(), Uploads: arriving, Locks: locks.Open(locks.Options{}),
			Authenticate: func(*http.Request) (holdfast.Principal, error) { return holdfast.Principal{Account: account.ID}, nil }})
		return account, onesnap.Handler(h)
	}
	ada, h := person("ada@example.org")
	grace, hers := person("grace@example.org")
	calendars := dav.HomeHref(ada.ID, holdfast.HomeCalendars)
	w := transcripts.World{Handler: h, Start: "/", Login: ada.Email,
		Files: map[string]string{"files": dav.HomeHref(ada.ID, holdfast.HomeFiles), "cloud": "/remote.php/dav/files/" + ada.Email + "/", "arriving": "/remote.php/dav/uploads/" + ada.Email + "/"}, Bases: map[string]string{
			"contacts": dav.HomeHref(ada.ID, holdfast.HomeAddressbooks) + "default/",
			"events":   calendars + "default/", "todos": calendars + "tasks/", "journals": calendars + "notes/"}}
	return w, func(w *transcripts.World) {
		at, err := s.Locate(t.Context(), holdfast.Principal{Account: grace.ID}, grace.ID, []string{holdfast.HomeCalendars, "default"})
		if err == nil {
			err = s.Share(t.Context(), holdfast.Actor{}, grace.ID, at.Collection.ID, ada.ID, holdfast.RightWrite)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.Owner, w.Shared, w.Bases["shared"] = hers, dav.HomeHref(grace.ID, holdfast.HomeCalendars)+"default/", calendars+at.Collection.ID.String()+"/"
	}
}

// load reads every transcript.
func load(t *testing.T) []*transcripts.Transcript {
	t.Helper()
	files, err := texts.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var all []*transcripts.Transcript
	for _, f := range files {
		text, err := texts.ReadFile(path.Join("testdata", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\n# Source of facts: ") {
			t.Errorf("the head of %s does not say where the facts are from", f.Name())
		}
		tr, err := transcripts.Parse(f.Name(), string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tr)
	}
	return all
}

// TestMovedFromAUserWithoutDomain replays the phones that come from a Nextcloud once more, with a user name that is only the part of the login before the "@".
func TestMovedFromAUserWithoutDomain(t *testing.T) {
	replayed := 0
	for _, tr := range load(t) {
		if !strings.HasSuffix(tr.Name, "nextcloud-move.txt") {
			continue
		}
		replayed++
		w := worldFor(t, tr)
		w.Login, _, _ = strings.Cut(w.Login, "@")
		if err := tr.Replay(w); err != nil {
			t.Error(err)
		}
	}
	if replayed != 2 {
		t.Errorf("%d transcripts, want 2", replayed)
	}
}

// TestTranscripts replays every client against the real handler.
func TestTranscripts(t *testing.T) {
	for _, tr := range load(t) {
		t.Run(strings.TrimSuffix(tr.Name, ".txt"), func(t *testing.T) {
			if err := tr.Replay(worldFor(t, tr)); err != nil {
				t.Error(err)
			}
		})
	}
}
