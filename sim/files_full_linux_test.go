package sim

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"holdfast/internal/vfs"
	"holdfast/sim/server"
)

// TestUploadsOnAFullDisk: with ever less room an upload is stored or answered 507, whole or not at all; nothing stays of one that found none, and what was acknowledged is there.
func TestUploadsOnAFullDisk(t *testing.T) {
	disk := smallDisk(t)
	o := server.Options{Data: disk, Flags: []string{"--volatile"}, Env: map[string]string{"HOLDFAST_ENGINE_BALLAST": "4MiB"}}
	s := start(t, o)
	f := newFiler(s, people(t, s, 1)[0])
	octets := make([]byte, 3<<20)
	for i := range octets {
		octets[i] = byte(rand.Uint32())
	}
	kept := map[string][]byte{}
	f.want(t, 201, "MKCOL", f.upload("u"), nil)
	filler := filepath.Join(disk, "filler")
	full, stored := 0, 0
	for step := 0; full < 8 || stored == 0; step++ {
		if step > 40 {
			t.Fatalf("%d were refused and %d stored", full, stored)
		}
		leave(t, filler, disk, int64(9<<20-step*(300<<10)))
		for _, at := range []string{f.file(fmt.Sprint("f", step)), f.upload("u", fmt.Sprint(step+1))} {
			octets[0], octets[1] = byte(step), byte(len(at))
			a, err := f.do("PUT", at, bytes.NewReader(octets), -1)
			switch {
			case err != nil || a.status != http.StatusCreated && a.status != http.StatusInsufficientStorage && a.status != http.StatusServiceUnavailable:
				t.Errorf("step %d, %s: status %d, %v\n%.300s", step, at, a.status, err, a.body)
			case a.status == http.StatusCreated:
				stored++
				kept[at] = bytes.Clone(octets)
			default:
				full++
			}
			if left := taken(t, disk); len(left) > 0 {
				t.Errorf("step %d, %s: %q stay", step, at, left)
			}
		}
	}
	t.Logf("%d were stored, %d refused", stored, full)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	s = start(t, o)
	f.base = "http://" + s.Addr
	parts := string(f.want(t, 207, "PROPFIND", f.upload("u")+"/", nil, "Depth: 1").body)
	chunks := 0
	for at, octets := range kept {
		if strings.Contains(at, "/uploads/") {
			if chunks++; !strings.Contains(parts, at+"</D:href>") {
				t.Errorf("the chunk %s was acknowledged, and is gone", at)
			}
			continue
		}
		f.holds(t, at, octets)
	}
	if n := strings.Count(parts, "<D:getcontentlength>"+strconv.Itoa(len(octets))+"<"); n != chunks {
		t.Errorf("%d chunks are whole, %d were acknowledged", n, chunks)
	}
	if a, err := f.do("PUT", f.file("after"), bytes.NewReader(octets[:100_000]), -1); err != nil || a.status != http.StatusCreated {
		t.Errorf("with room again: status %d, %v\n%.300s", a.status, err, a.body)
	}
}

// leave has so many octets free on a disk, by a file that fills the rest.
func leave(t *testing.T, filler, disk string, octets int64) {
	t.Helper()
	_ = os.Remove(filler)
	room, err := vfs.FreeSpace(disk)
	if err != nil {
		t.Fatal(err)
	}
	if room.Free <= octets {
		return
	}
	w, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := io.CopyN(w, &sparse{size: room.Free}, room.Free-octets); err != nil {
		t.Fatal(err)
	}
}
