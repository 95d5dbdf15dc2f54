//go:build !(linux || darwin || freebsd || dragonfly)

package vfs

import "errors"

func statfs(string) (Space, string, error) { return Space{}, "", errors.ErrUnsupported }
