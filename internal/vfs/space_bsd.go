//go:build darwin || freebsd || dragonfly

package vfs

import "syscall"

func statfs(path string) (Space, string, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return Space{}, "", err
	}
	var name []byte
	for _, c := range st.Fstypename {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	unit := int64(st.Bsize)
	return Space{Free: int64(st.Bavail) * unit, Total: int64(st.Blocks) * unit}, string(name), nil
}
