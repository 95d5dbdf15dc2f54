package transfer

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/vfs"
)

// Target is where an export goes: a directory, or a zip file if its name ends in .zip. It is filled under a temporary name beside it and appears when it is
// whole and on disk. It never takes the place of something that holds data.
type Target struct {
	final string
	temp  string
	file  *os.File // of a zip
	zip   *zip.Writer
	made  map[string]bool // directories
	aside []*os.File      // what waits beside it
}

// OpenTarget prepares a target. Errors: Exists if there is something under that name already, an empty directory apart; Invalid if its directory is not there;
// Forbidden if nothing can be made in that.
func OpenTarget(name string) (*Target, error) {
	t := &Target{final: filepath.Clean(name), made: map[string]bool{}}
	if err := t.free(); err != nil {
		return nil, err
	}
	parent, base := filepath.Split(t.final)
	if parent == "" {
		parent = "."
	}
	if st, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) || err == nil && !st.IsDir() {
		return nil, &holdfast.Error{Op: "transfer.Export", Kind: holdfast.Invalid, Text: "the directory " + filepath.Clean(parent) + " does not exist"}
	}
	var err error
	if strings.EqualFold(filepath.Ext(base), ".zip") {
		if t.file, err = os.CreateTemp(parent, "."+base+".partial-*"); err == nil {
			t.temp, t.zip = t.file.Name(), zip.NewWriter(t.file)
		}
	} else {
		t.temp, err = os.MkdirTemp(parent, "."+base+".partial-*")
	}
	if err != nil {
		return nil, &holdfast.Error{Op: "transfer.Export", Kind: holdfast.Forbidden, Text: "nothing can be made in the directory " + filepath.Clean(parent), Err: errors.Unwrap(err)}
	}
	return t, nil
}

// free tells whether the final name may be taken.
func (t *Target) free() error {
	st, err := os.Lstat(t.final)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if st.IsDir() && !strings.EqualFold(filepath.Ext(t.final), ".zip") {
		list, err := os.ReadDir(t.final)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		if len(list) == 0 {
			return nil
		}
	}
	return &holdfast.Error{Op: "transfer.Export", Kind: holdfast.Exists, Ref: t.final, Text: "it is there already and is not overwritten; choose another name"}
}

// scratch makes a file beside the target, which goes when the target is committed or discarded.
func (t *Target) scratch() (*os.File, error) {
	parent, base := filepath.Split(t.final)
	if parent == "" {
		parent = "."
	}
	f, err := os.CreateTemp(parent, "."+base+".partial-*")
	if err == nil {
		t.aside = append(t.aside, f)
	}
	return f, err
}

func (t *Target) dropScratch() {
	for _, f := range t.aside {
		f.Close()
		os.Remove(f.Name()) // what stays bears "partial" in its name
	}
	t.aside = nil
}

// add writes one file. name has slashes and is local.
func (t *Target) add(name string, modified time.Time, r io.Reader) error {
	if t.zip != nil {
		w, err := t.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: modified})
		if err == nil {
			_, err = io.Copy(w, r)
		}
		return err
	}
	path := filepath.Join(t.temp, filepath.FromSlash(name))
	if err := t.mkdir(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chtimes(path, modified, modified)
	}
	return err
}

func (t *Target) addBytes(name string, modified time.Time, b []byte) error {
	return t.add(name, modified, bytes.NewReader(b))
}

// dir makes a directory, empty or not.
func (t *Target) dir(name string, modified time.Time) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%q cannot be the name of a directory here", name)
	}
	if t.zip != nil {
		_, err := t.zip.CreateHeader(&zip.FileHeader{Name: name + "/", Modified: modified}) // without a time, programs show the year 1979
		return err
	}
	return t.mkdir(filepath.Join(t.temp, filepath.FromSlash(name)))
}

func (t *Target) mkdir(path string) error {
	if t.made[path] {
		return nil
	}
	err := os.MkdirAll(path, 0o700)
	t.made[path] = err == nil
	return err
}

// Commit makes the target appear, durably.
func (t *Target) Commit() error {
	t.dropScratch()
	if err := t.sync(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := t.free(); err != nil { // somebody may have been quicker
		return err
	}
	var err error
	if t.zip != nil {
		if err = os.Link(t.temp, t.final); err == nil { // refuses a name that is taken
			err = os.Remove(t.temp)
		} else if !errors.Is(err, fs.ErrExist) {
			err = os.Rename(t.temp, t.final)
		}
	} else {
		err = os.Remove(t.final) // an empty directory goes; one that is not empty stays
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(t.temp, t.final)
		}
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	t.temp = ""
	return vfs.OS.SyncDir(filepath.Dir(t.final))
}

func (t *Target) sync() error {
	if t.zip != nil {
		return errors.Join(t.zip.Close(), t.file.Sync(), t.file.Close())
	}
	return syncTree(t.temp)
}

// Discard removes what was written and not committed. After Commit it does nothing.
func (t *Target) Discard() {
	t.dropScratch()
	if t.temp == "" {
		return
	}
	if t.file != nil {
		t.file.Close()
	}
	os.RemoveAll(t.temp) // what stays bears "partial" in its name
	t.temp = ""
}
