package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// SocketName is the control socket's name in the data directory.
const SocketName = "control.sock"

// maxSocketPath is the longest path that every system takes for a socket.
const maxSocketPath = 100

// Listen opens the control socket of a data directory. The caller holds the directory's lease, so that a socket that is there is a dead server's. Only the
// owner may open it.
func Listen(dir string) (net.Listener, error) {
	name := filepath.Join(dir, SocketName)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	path, free, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	defer free()
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // path may be a detour that is closed by then
	if err := os.Chmod(name, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return &socket{l, name}, nil
}

// socket removes its file when it is closed.
type socket struct {
	net.Listener
	name string
}

func (s *socket) Close() error {
	return errors.Join(os.Remove(s.name), s.Listener.Close())
}

// socketPath returns a path of the socket that is short enough for the system. A long one is reached through an open descriptor of its directory.
func socketPath(dir string) (path string, free func(), err error) {
	path = filepath.Join(dir, SocketName)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("control socket: the path %s is longer than %d octets; choose a data directory with a shorter one", path, maxSocketPath)
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, fmt.Errorf("control socket: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), SocketName), func() { d.Close() }, nil
}

// dialTimeout bounds how long a connection may take to be accepted.
const dialTimeout = 2 * time.Second

// Dial connects to the server that runs on a data directory. The error satisfies errors.Is with fs.ErrNotExist or syscall.ECONNREFUSED where none does.
func Dial(ctx context.Context, dir string) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, free, err := socketPath(dir)
		if err != nil {
			return nil, err
		}
		defer free()
		d := net.Dialer{Timeout: dialTimeout}
		return d.DialContext(ctx, "unix", path)
	}
	probe, err := dial(ctx, "", "")
	if err != nil {
		return nil, err
	}
	probe.Close()
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConns: 1, DisableCompression: true}}, Remote: true}, nil
}

// NewServer returns the HTTP server of a control socket, with its bounds.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
}
