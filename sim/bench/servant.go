package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/sim/load"
)

// servant runs another server in the foreground, in a directory that becomes its own.
type servant struct {
	dir  string
	as   string // the user that Debian made for it, who it is where we are root; empty: we
	cmd  *exec.Cmd
	out  strings.Builder
	gone chan struct{}
}

func (v *servant) start(name string, args ...string) error {
	v.cmd, v.gone = exec.Command(name, args...), make(chan struct{})
	v.cmd.Stdout, v.cmd.Stderr = &v.out, &v.out
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if v.as != "" && os.Geteuid() == 0 {
		who, err := v.own()
		if err != nil {
			return err
		}
		v.cmd.SysProcAttr.Credential = who
	}
	if err := v.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = v.cmd.Wait() // what it said is in out
		close(v.gone)
	}()
	return nil
}

// own gives the directory to the user, and returns who that is.
func (v *servant) own() (*syscall.Credential, error) {
	u, err := user.Lookup(v.as)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(v.dir, func(path string, _ os.DirEntry, err error) error { return errors.Join(err, os.Chown(path, uid, gid)) })
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// await returns once something listens there.
func (v *servant) await(ctx context.Context, addr string) error {
	for range 200 {
		if c, err := load.Dial(ctx, addr, time.Now().Add(time.Second)); err == nil {
			c.Close()
			return nil
		}
		select {
		case <-v.gone:
			return fmt.Errorf("it ended: %.500s", &v.out)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("it does not answer")
}

// stop ends the program and what it has started.
func (v *servant) stop() error {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = syscall.Kill(-v.cmd.Process.Pid, sig) // it may be gone already
		select {
		case <-v.gone:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("%s does not end", v.cmd.Path)
}

// freePorts returns ports of loopback that nobody listens on, unless somebody is very quick.
func freePorts(n int) (list []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list, nil
}

// serve starts a program, and waits until it listens.
func (v *servant) serve(ctx context.Context, addr, name string, args ...string) error {
	err := v.start(name, args...)
	if err != nil {
		return err
	}
	if err = v.await(ctx, addr); err != nil {
		err = errors.Join(err, v.stop())
	}
	return err
}
