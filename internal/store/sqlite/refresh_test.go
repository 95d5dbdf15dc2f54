package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"holdfast"
	"holdfast/internal/store"
)

// TestRefreshReadsTheFile: octets that changed in the file under an engine are not seen by who has read them before, and are after Refresh.
func TestRefreshReadsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	e, err := Open(t.Context(), Options{Path: path, Create: true, Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	account := holdfast.NewID(nil)
	body := bytes.Repeat([]byte("an octet that will rot "), 20)
	root := holdfast.Entry{ID: holdfast.NewID(nil), Op: holdfast.OpPut, Kind: holdfast.KindCollection, Collection: account, Body: holdfast.CollectionRecord{Type: holdfast.TypeRoot}.Encode()}
	record := holdfast.Entry{ID: holdfast.NewID(nil), Op: holdfast.OpPut, Kind: holdfast.KindAccount, Collection: account, Name: holdfast.RecordAccount, Body: holdfast.AccountRecord{Email: "a@example.org", State: holdfast.Active}.Encode()}
	book := holdfast.Entry{ID: holdfast.NewID(nil), Op: holdfast.OpPut, Kind: holdfast.KindDevice, Collection: account, Name: "device-x", Body: body}
	g := &holdfast.Group{Account: account, Entries: []holdfast.Entry{root, record, book}}
	g.Seal()
	if _, err := e.Commit(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.checkpoint(); err != nil {
		t.Fatal(err)
	}
	read := func() (got []byte) {
		t.Helper()
		snap, err := e.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Close()
		r, err := snap.Resource(account, "device-x", store.WithBody)
		if err != nil {
			t.Fatal(err)
		}
		return r.Body
	}
	if !bytes.Equal(read(), body) {
		t.Fatal("it reads something else")
	}
	octets, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(octets, body)
	if at < 0 {
		t.Fatal("the body is not in the file")
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("X"), int64(at)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if !bytes.Equal(read(), body) {
		t.Fatal("nothing is held in memory: this shows nothing")
	}
	e.Refresh()
	if got := read(); bytes.Equal(got, body) || got[0] != 'X' {
		t.Errorf("after Refresh it reads %.10q", got)
	}
}
