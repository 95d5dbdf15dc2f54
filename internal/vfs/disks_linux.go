package vfs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// system is where Linux tells of block devices and mounts.
var system = linux{sys: "/sys", mounts: "/proc/self/mountinfo", device: deviceOf}

// linux reads sysfs and mountinfo.
type linux struct {
	sys, mounts string
	device      func(path string) (major, minor uint32, err error) // of the file system that holds path
}

// maxLayers bounds how many layers (partition, dm, md, loop, overlay) are followed: a real stack has a handful.
const maxLayers = 16

func deviceOf(path string) (major, minor uint32, err error) {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0, 0, err
	}
	d := uint64(st.Dev) // as glibc's major(3) and minor(3) take it apart
	return uint32(d>>8&0xfff | d>>32&^0xfff), uint32(d&0xff | d>>12&^0xff), nil
}

func (l linux) disks(path string) ([]string, error) {
	found := map[string]bool{}
	if err := l.behindPath(path, maxLayers, found); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(found))
	for d := range found {
		out = append(out, d)
	}
	slices.Sort(out)
	return out, nil
}

// behindPath adds the disks behind the file system that holds path.
func (l linux) behindPath(path string, depth int, found map[string]bool) error {
	major, minor, err := l.device(path)
	if err != nil {
		return err
	}
	if major == 0 { // an anonymous device: the file system has none, or several
		return l.behindMount(path, depth, found)
	}
	return l.behind(filepath.Join(l.sys, "dev/block", fmt.Sprintf("%d:%d", major, minor)), depth, found)
}

// behind adds the disks behind a block device, which is named by its directory in sysfs or a link to it.
func (l linux) behind(link string, depth int, found map[string]bool) error {
	dir, err := filepath.EvalSymlinks(link)
	if err != nil || depth == 0 {
		return fmt.Errorf("%s: %w", filepath.Base(link), ErrUnknownDisk)
	}
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		dir = filepath.Dir(dir)
	}
	if slaves, err := os.ReadDir(filepath.Join(dir, "slaves")); err == nil && len(slaves) > 0 { // dm, md
		for _, s := range slaves {
			if err := l.behind(filepath.Join(dir, "slaves", s.Name()), depth-1, found); err != nil {
				return err
			}
		}
		return nil
	}
	if file, err := os.ReadFile(filepath.Join(dir, "loop/backing_file")); err == nil {
		return l.behindPath(strings.TrimSuffix(string(file), "\n"), depth-1, found)
	}
	if filepath.Base(filepath.Dir(dir)) == "block" && filepath.Base(filepath.Dir(filepath.Dir(dir))) == "virtual" {
		return fmt.Errorf("%s: %w", filepath.Base(dir), ErrUnknownDisk) // memory, or over the network
	}
	found[filepath.Base(dir)] = true
	return nil
}

// mount is what mountinfo says of one.
type mount struct{ point, kind, source, options string }

// behindMount adds the disks behind a file system that has no device of its own.
func (l linux) behindMount(path string, depth int, found map[string]bool) error {
	m, err := l.mountOf(path)
	if err != nil || depth == 0 {
		return fmt.Errorf("%s: %w", path, ErrUnknownDisk)
	}
	switch m.kind {
	case "btrfs":
		return l.behindBtrfs(m.source, depth, found)
	case "overlay":
		for o := range strings.SplitSeq(m.options, ",") {
			if upper, ok := strings.CutPrefix(o, "upperdir="); ok { // a path of whoever mounted it: inside of a container it is not there
				return l.unknownOr(upper, depth, found)
			}
		}
	}
	return fmt.Errorf("%s (%s): %w", path, m.kind, ErrUnknownDisk)
}

func (l linux) unknownOr(path string, depth int, found map[string]bool) error {
	if err := l.behindPath(path, depth-1, found); err != nil {
		return fmt.Errorf("%s: %w", path, ErrUnknownDisk)
	}
	return nil
}

// behindBtrfs adds all disks of a btrfs, of which mountinfo names one.
func (l linux) behindBtrfs(source string, depth int, found map[string]bool) error {
	if real, err := filepath.EvalSymlinks(source); err == nil { // /dev/mapper/x
		source = real
	}
	name := filepath.Base(source)
	all, err := filepath.Glob(filepath.Join(l.sys, "fs/btrfs/*/devices", name))
	if err != nil || len(all) != 1 {
		return l.behind(filepath.Join(l.sys, "class/block", name), depth-1, found)
	}
	list, err := os.ReadDir(filepath.Dir(all[0]))
	if err != nil {
		return fmt.Errorf("%s: %w", name, ErrUnknownDisk)
	}
	for _, d := range list {
		if err := l.behind(filepath.Join(l.sys, "class/block", d.Name()), depth-1, found); err != nil {
			return err
		}
	}
	return nil
}

func (l linux) mountPoint(path string) (string, error) {
	m, err := l.mountOf(path)
	return m.point, err
}

// mountOf returns the mount that holds path: of those whose point leads to it the one with the longest, of several there the newest.
func (l linux) mountOf(path string) (mount, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return mount{}, err
	}
	text, err := os.ReadFile(l.mounts)
	if err != nil {
		return mount{}, err
	}
	var best mount
	for line := range strings.Lines(string(text)) {
		m, ok := parseMount(strings.TrimSuffix(line, "\n"))
		inside := real == m.point || m.point == "/" || strings.HasPrefix(real, m.point+"/")
		if ok && inside && len(m.point) >= len(best.point) {
			best = m
		}
	}
	if best.point == "" {
		return best, ErrUnknownDisk
	}
	return best, nil
}

// parseMount reads a line of mountinfo (proc(5)): 36 35 98:0 /root /point options optional… - kind source options
func parseMount(line string) (mount, bool) {
	front, back, ok := strings.Cut(line, " - ")
	a, b := strings.Fields(front), strings.Fields(back)
	if !ok || len(a) < 6 || len(b) < 2 {
		return mount{}, false
	}
	m := mount{point: unescapeMount(a[4]), kind: b[0], source: unescapeMount(b[1])}
	if len(b) > 2 {
		m.options = unescapeMount(b[2])
	}
	return m, true
}

// unescapeMount undoes \040 and the like.
func unescapeMount(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
