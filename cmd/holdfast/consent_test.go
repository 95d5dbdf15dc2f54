package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/control"
	"holdfast/internal/place/remote"

	"github.com/spf13/cobra"
)

// TestAsGiven: the command that a refusal names is the one that was given, with the word, as a shell takes it.
func TestAsGiven(t *testing.T) {
	root := &cobra.Command{Use: "holdfast"}
	vault := &cobra.Command{Use: "vault"}
	var name string
	var many []string
	var dry, yes bool
	got := ""
	prune := &cobra.Command{Use: "prune", RunE: func(cmd *cobra.Command, list []string) error { got = asGiven(cmd, list); return nil }}
	prune.Flags().StringVar(&name, "data", "", "")
	prune.Flags().StringArrayVar(&many, "from", nil, "")
	prune.Flags().BoolVar(&dry, "json", false, "")
	agreeFlag(prune, &yes)
	vault.AddCommand(prune)
	root.AddCommand(vault)
	root.SetArgs([]string{"vault", "prune", "--json", "an attic", "--data", "a$b", "--from", "x", "--from", "y z"})
	must(t, root.Execute())
	if want := `holdfast vault prune 'an attic' --data 'a$b' --from x --from 'y z' --json`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNoScriptIsAsked: where nobody can be asked, nothing hangs: what needs the word is refused, what a script named goes on.
func TestNoScriptIsAsked(t *testing.T) {
	var said bytes.Buffer
	a := &app{stdin: strings.NewReader("n\n"), stderr: &said, stdout: &said}
	c := &cobra.Command{Use: "holdfast"}
	if err := a.agreed(false); err != nil {
		t.Errorf("what was named is refused: %v", err)
	}
	err := a.needed(c, nil, false, "3 packs would go")
	if exitCode(err) != exitRefused || !strings.Contains(err.Error(), "3 packs would go. Nothing was done; to go on: holdfast --yes") {
		t.Errorf("without the word: %v", err)
	}
	if err := a.needed(c, nil, true, "3 packs would go"); err != nil {
		t.Errorf("with the word: %v", err)
	}
	if said.Len() > 0 {
		t.Errorf("it asks: %s", &said)
	}
}

// TestHolds: what is said of collections counts each kind.
func TestHolds(t *testing.T) {
	for want, list := range map[string][]control.Collection{"no items": nil, "3 contacts, 1 calendar item": {{Type: "addressbook", Items: 1}, {Type: "calendar", Items: 1}, {Type: "addressbook", Items: 2}}, "2 files": {{Type: "folder", Items: 2}}} {
		if got := holds(list); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestARemoteVaultIsAskedFirst: what a vault's server would remove for good is counted, and removed with the word alone.
func TestARemoteVaultIsAskedFirst(t *testing.T) {
	var asked, removed, there int64
	far := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := remote.Pruned{Schema: remote.PrunedSchema, Objects: []string{}, Count: there, Octets: 2048 * there, DryRun: r.FormValue("dry-run") == "true"}
		if p.DryRun {
			asked++
		} else {
			removed, there = removed+there, 0
		}
		_ = json.NewEncoder(w).Encode(p)
	}))
	defer far.Close()
	cred := filepath.Join(t.TempDir(), "prune.txt")
	sum := sha256.Sum256(far.Certificate().Raw)
	must(t, os.WriteFile(cred, []byte("hfv-secret\nfingerprint "+hex.EncodeToString(sum[:])+"\n"), 0o600))
	for _, x := range []struct {
		there, removed int64
		flag           string
		code           int
		says           string
	}{
		{0, 0, "", exitFine, "0 objects, 0 B: removed"}, {3, 0, "--dry-run", exitFine, "3 objects, 6.0 KiB: would be removed"},
		{3, 0, "", exitRefused, "3 objects of 6.0 KiB would be removed there for good. Nothing was done; to go on: holdfast vault prune " + far.URL + " --credential " + cred + " --yes"},
		{3, 3, "--yes", exitFine, "3 objects, 6.0 KiB: removed"},
	} {
		asked, removed, there = 0, 0, x.there
		var out bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &out}
		root, list := a.root(), []string{"vault", "prune", far.URL, "--credential", cred}
		if x.flag != "" {
			list = append(list, x.flag)
		}
		root.SetArgs(list)
		err := root.ExecuteContext(t.Context())
		code := exitFine
		if err != nil {
			code = exitCode(err)
			out.WriteString(sentence(err))
		}
		if code != x.code || removed != x.removed || !strings.Contains(out.String(), x.says) || asked != 1 {
			t.Errorf("%d there, %q: exit status %d, %d removed: %s", x.there, x.flag, code, removed, &out)
		}
	}
}
