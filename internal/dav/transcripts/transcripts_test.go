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
	"holdfast/internal/dav/carddav"
	"holdfast/internal/dav/transcripts"
	"holdfast/internal/store/memory"
)

//go:embed testdata/*.txt
var texts embed.FS

// world makes a server with one account.
func world(t *testing.T) transcripts.World {
	t.Helper()
	o := carddav.Options{MaxResource: 10 << 20}
	s := core.New(core.Options{Engine: memory.New(), Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: carddav.Judge(o)}})
	account, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "ada@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	who := holdfast.Principal{Account: account.ID}
	h := dav.New(dav.Options{Core: s, Extensions: []dav.Extension{carddav.Extension(o)}, SpoolDir: t.TempDir(),
		Authenticate: func(*http.Request) (holdfast.Principal, error) { return who, nil }})
	base := dav.HomeHref(account.ID, holdfast.HomeAddressbooks) + "default/"
	return transcripts.World{Handler: h, Start: "/", Login: account.Email, Base: base}
}

// TestTranscripts replays every client against the real handler.
func TestTranscripts(t *testing.T) {
	files, err := texts.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(f.Name(), ".txt"), func(t *testing.T) {
			text, err := texts.ReadFile(path.Join("testdata", f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), "# Source of facts: ") {
				t.Error("the head does not say where the facts are from")
			}
			tr, err := transcripts.Parse(f.Name(), string(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.Replay(world(t)); err != nil {
				t.Error(err)
			}
		})
	}
}
