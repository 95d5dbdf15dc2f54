package notice

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"holdfast/internal/vfs"
)

// fileFormat is the newest format of the file that this program knows.
const fileFormat = 1

// memory is what the file holds.
type memory struct {
	Format  int        `json:"format"`
	Open    []Open     `json:"open"`
	Waiting []*waiting `json:"waiting"`
}

// load reads the file. It may be removed: then what is wrong is told anew.
func (b *Board) load() {
	if b.o.File == "" {
		return
	}
	text, err := vfs.ReadFile(b.o.FS, b.o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var m memory
	if err == nil {
		if err = json.Unmarshal(text, &m); err == nil && m.Format != fileFormat {
			err = errors.New("another version of Holdfast wrote it")
		}
	}
	if err != nil {
		b.o.Log.Error("what was told of trouble cannot be read, so it is begun anew: what is wrong may be told again", "file", b.o.File, "err", err)
		return
	}
	for _, o := range m.Open[:min(len(m.Open), maxOpen)] {
		b.open[o.Key] = &o
	}
	var gone []*waiting
	for _, w := range m.Waiting[max(0, len(m.Waiting)-maxWaiting):] {
		if w == nil {
			continue
		}
		w.Ways = slices.DeleteFunc(w.Ways, func(name string) bool { return b.way(name) == nil }) // one that is configured no more
		if len(w.Ways) > 0 {
			b.waiting = append(b.waiting, w)
		} else {
			gone = append(gone, w)
		}
	}
	for _, w := range gone { // by another way it is told
		b.untold(w)
	}
}

// save makes what is remembered durable. Where that fails, as on a full disk, it goes on in memory: that is when people most need to be told.
func (b *Board) save() {
	b.saving.Lock()
	defer b.saving.Unlock()
	b.mu.Lock()
	if !b.unsaved || b.o.File == "" {
		b.mu.Unlock()
		return
	}
	m := memory{Format: fileFormat, Open: []Open{}, Waiting: b.waiting}
	for _, o := range b.open {
		m.Open = append(m.Open, *o)
	}
	text, err := json.MarshalIndent(m, "", " ")
	b.unsaved = false
	b.mu.Unlock()
	if err == nil {
		err = vfs.WriteFileAtomic(b.o.FS, b.o.File, append(text, '\n'), 0o600)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.unsaved = true
		if !b.failing {
			b.o.Log.Error("what was told of trouble cannot be written down; a restart may tell it again", "file", b.o.File, "err", err)
		}
	}
	b.failing = err != nil
}
