package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/seal"
	"holdfast/internal/vfs"
)

func entry(name string) Entry {
	return Entry{Name: name, Kind: "dir", Location: "/srv/" + name, Domain: "here", Mode: Sync, Vault: holdfast.NewID(nil), Added: time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)}
}

func TestReadAndWrite(t *testing.T) {
	dir := t.TempDir()
	r, had, err := Read(vfs.OS, dir)
	if err != nil || had || len(r.Vaults) != 0 {
		t.Fatalf("a store that never had a vault: %v, %v, %v", r, had, err)
	}
	remote := entry("attic")
	remote.Kind, remote.Location, remote.Credential, remote.Prune, remote.Fingerprint, remote.Mode = "remote", "https://attic.example:8430", "s3cret", "pr-s3cret", "ab12", Async
	for _, e := range []Entry{entry("local"), remote} {
		if err := r.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Write(vfs.OS, dir); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, VaultsName))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("others may read the credentials: %v, %v", st.Mode(), err)
	}
	back, had, err := Read(vfs.OS, dir)
	if err != nil || !had || !reflect.DeepEqual(back, r) {
		t.Errorf("read back: %#v (%v, %v), want %#v", back, had, err, r)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", remote, remote, remote)} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("a secret is printed: %s", text)
		}
	}
	if err := back.Remove("local"); err != nil || back.Find("local") != nil || back.Find("attic") == nil {
		t.Errorf("remove: %v", err)
	}
	if err := back.Remove("attic"); err != nil {
		t.Error(err)
	}
	if err := back.Write(vfs.OS, dir); err != nil {
		t.Error(err)
	}
	if empty, had, err := Read(vfs.OS, dir); err != nil || !had || len(empty.Vaults) != 0 {
		t.Errorf("a store whose vaults are retired: %v, %v, %v", empty, had, err)
	}
}

func TestAddRefuses(t *testing.T) {
	r := &Registry{}
	if err := r.Add(entry("local")); err != nil {
		t.Fatal(err)
	}
	change := func(fn func(*Entry)) Entry { e := entry("other"); fn(&e); return e }
	for what, x := range map[string]struct {
		e    Entry
		kind holdfast.ErrorKind
	}{
		"the name taken":     {change(func(e *Entry) { e.Name = "local" }), holdfast.Exists},
		"the place taken":    {change(func(e *Entry) { e.Location = "/srv/local" }), holdfast.Exists},
		"no domain":          {change(func(e *Entry) { e.Domain = "" }), holdfast.Invalid},
		"no mode":            {change(func(e *Entry) { e.Mode = "" }), holdfast.Invalid},
		"a name for engines": {change(func(e *Entry) { e.Name = "engine" }), holdfast.Invalid},
		"a name with a plus": {change(func(e *Entry) { e.Name = "a+b" }), holdfast.Invalid},
		"a long name":        {change(func(e *Entry) { e.Name = strings.Repeat("a", 32) }), holdfast.Invalid},
	} {
		if err := r.Add(x.e); !holdfast.IsKind(err, x.kind) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := r.Remove("attic"); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("remove of what is not there: %v", err)
	}
}

func TestBrokenFiles(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "{", "[]", `{"format":0}`, `{"format":99,"vaults":[]}`, `{"format":1,"vaults":[{"name":"x"}]}`,
		`{"format":1,"vaults":[{"name":"a","kind":"dir","location":"/a","domain":"d","mode":"sync"},{"name":"a","kind":"dir","location":"/b","domain":"d","mode":"sync"}]}`} {
		if err := os.WriteFile(filepath.Join(dir, VaultsName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read(vfs.OS, dir); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("vaults.json %q: %v", text, err)
		}
		if err := os.WriteFile(filepath.Join(dir, KeysName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeys(vfs.OS, dir); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("keys.json %q: %v", text, err)
		}
	}
}

func TestKeysAndRecord(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadKeys(vfs.OS, dir); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatalf("no keys: %v", err)
	}
	ring, err := seal.NewRing(false)
	if err != nil {
		t.Fatal(err)
	}
	store := holdfast.NewID(nil)
	key, err := seal.NewRecovery(store, time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(key); err != nil {
		t.Fatal(err)
	}
	if err := WriteKeys(vfs.OS, dir, ring); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(dir, KeysName)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("others may read the keys: %v, %v", st.Mode(), err)
	}
	back, err := ReadKeys(vfs.OS, dir)
	if err != nil || string(back.Encode()) != string(ring.Encode()) {
		t.Errorf("the keys read back differ: %v", err)
	}
	r := &Registry{}
	if err := r.Add(entry("local")); err != nil {
		t.Fatal(err)
	}
	rec := RecordOf(store, "engine+local", "strict", r, ring)
	if !key.Trusts(rec.Signer, rec.Certificates) || len(rec.Recovery) != 1 || rec.Registry().Find("local") == nil {
		t.Errorf("the record does not say what a restored store needs: %+v", rec)
	}
}

func FuzzParse(f *testing.F) {
	r := &Registry{}
	if err := r.Add(entry("local")); err != nil {
		f.Fatal(err)
	}
	f.Add(r.Encode())
	f.Add([]byte(`{"format":1,"vaults":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(r.Encode())
		if err != nil || len(again.Vaults) != len(r.Vaults) {
			t.Fatalf("what was read does not survive being written: %v", err)
		}
	})
}
