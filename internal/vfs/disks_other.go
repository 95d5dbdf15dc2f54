//go:build !linux

package vfs

// system tells nothing of disks here.
var system unknownSystem

type unknownSystem struct{}

func (unknownSystem) disks(string) ([]string, error) { return nil, ErrUnknownDisk }

func (unknownSystem) mountPoint(string) (string, error) { return "", ErrUnknownDisk }
