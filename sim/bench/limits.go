package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"holdfast/sim/load"
)

// limits measures what this machine can do at best.
func (b *bench) limits(ctx context.Context) error {
	if err := b.fsync(); err != nil {
		return err
	}
	addr, _, stop, err := startBare(ctx, "-serve-bare")
	if err != nil {
		return err
	}
	defer stop()
	for _, n := range []int{1, 32} {
		r, err := putRun(ctx, addr, sameBook(n), b.each, false)
		if err != nil {
			return err
		}
		b.report.bare[n] = r.PerSecond()
		b.report.add(figure{Name: fmt.Sprintf("bare net/http handler, PUT, %s", connections(n)), Value: r.PerSecond(), Unit: "/s"}.latency(&r.Latency))
	}
	return nil
}

// fsync times what a durable write costs: 4 KiB and an fdatasync.
func (b *bench) fsync() error {
	f, err := os.Create(filepath.Join(b.dir, "fsync"))
	if err != nil {
		return err
	}
	defer f.Close()
	const blocks = 1024
	buf := make([]byte, 4096)
	for i := range blocks {
		if _, err := f.WriteAt(buf, int64(i)*4096); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	var h load.Histogram
	start := time.Now()
	for i := 0; time.Since(start) < b.each; i++ {
		buf[0] = byte(i)
		began := time.Now()
		if _, err := f.WriteAt(buf, int64(i%blocks)*4096); err != nil {
			return err
		}
		if err := fdatasync(f); err != nil {
			return err
		}
		h.Add(time.Since(began))
	}
	b.report.fsyncs = float64(h.Count()) / time.Since(start).Seconds()
	b.report.add(figure{Name: "write + fdatasync of 4 KiB", Value: b.report.fsyncs, Unit: "/s"}.latency(&h))
	return nil
}

// bareContacts is the least that a server of PUTs can be: it reads the body and answers.
func bareContacts(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	w.Header().Set("ETag", `"1"`)
	w.WriteHeader(http.StatusCreated)
}

// serveBare serves until it, or who started it, ends.
func serveBare(ctx context.Context, handler http.HandlerFunc) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	s := &http.Server{Handler: handler}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with who started it
		s.Close()
	}()
	if err := s.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// startBare runs a bare handler, as flags say, in a process of its own, like any server.
func startBare(ctx context.Context, flags ...string) (addr string, pid int, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	cmd := exec.CommandContext(ctx, self, flags...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", 0, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() {
		in.Close()
		_ = cmd.Wait() // it has nothing to say
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", 0, nil, err
	}
	return strings.TrimSpace(line), cmd.Process.Pid, stop, nil
}

func sameBook(n int) []load.Account {
	list := make([]load.Account, n)
	for i := range list {
		list[i] = load.Account{Book: fmt.Sprintf("/dav/addressbooks/%032x/default/", i), Email: "alice@example.org", Password: "aaaa-bbbb-cccc-dddd"}
	}
	return list
}
