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
	"holdfast/internal/store/memory"
)

//go:embed testdata/*.txt
var texts embed.FS

// world makes a server with one account.
func world(t *testing.T) transcripts.World {
	t.Helper()
	cards, events := carddav.Options{MaxResource: 10 << 20}, caldav.Options{MaxResource: 10 << 20}
	engine := &onesnap.Engine{Engine: memory.New(), Nested: func() { t.Error("a request that holds a snapshot asks for another one") }}
	s := core.New(core.Options{Engine: engine, Limits: core.Limits{DirectoryTTL: 1}, Judges: map[holdfast.CollectionType]core.Judge{
		holdfast.TypeAddressbook: carddav.Judge(cards), holdfast.TypeCalendar: caldav.Judge(events)}})
	account, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "ada@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	who := holdfast.Principal{Account: account.ID}
	h := dav.New(dav.Options{Core: s, Extensions: append(caldav.Extensions(events), carddav.Extension(cards)), SpoolDir: t.TempDir(),
		Authenticate: func(*http.Request) (holdfast.Principal, error) { return who, nil }})
	calendars := dav.HomeHref(account.ID, holdfast.HomeCalendars)
	return transcripts.World{Handler: onesnap.Handler(h), Start: "/", Login: account.Email, Bases: map[string]string{
		"contacts": dav.HomeHref(account.ID, holdfast.HomeAddressbooks) + "default/",
		"events":   calendars + "default/", "todos": calendars + "tasks/", "journals": calendars + "notes/"}}
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

// TestTranscripts replays every client against the real handler.
func TestTranscripts(t *testing.T) {
	for _, tr := range load(t) {
		t.Run(strings.TrimSuffix(tr.Name, ".txt"), func(t *testing.T) {
			if err := tr.Replay(world(t)); err != nil {
				t.Error(err)
			}
		})
	}
}
