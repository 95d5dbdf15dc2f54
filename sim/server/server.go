// Package server builds and runs the real program for whole-system tests and benchmarks: on loopback, on ports that the system chooses, with a data
// directory of its own. It looks at the process from outside (memory, processor time) and ends only processes that it started.
package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/control"
	"holdfast/sim/load"
)

// Build builds the program into a directory and returns its path. flags go to `go build`.
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	bin := filepath.Join(dir, "holdfast")
	args := append([]string{"build", "-o", bin, "-trimpath"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "holdfast/cmd/holdfast")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return bin, nil
}

// Options say what to run.
type Options struct {
	Bin   string
	Data  string            // the data directory
	Flags []string          // more flags of serve
	Env   map[string]string // settings: HOLDFAST_…
	Wrap  []string          // a command in front of the program: strace with its flags
}

// Server is a running program.
type Server struct {
	Options
	Addr string // host:port
	PID  int    // of the program itself
	cmd  *exec.Cmd
	done chan error
}

// readyWithin bounds how long the program may take from its start to its ready line.
const readyWithin = time.Minute

// Start runs `serve` and waits for its ready line.
func Start(ctx context.Context, o Options) (*Server, error) {
	args := append([]string{"serve", "--data", o.Data, "--listen", "127.0.0.1:0", "--admin-listen", "none"}, o.Flags...)
	line := append(append([]string{}, o.Wrap...), append([]string{o.Bin}, args...)...)
	s := &Server{Options: o, cmd: exec.Command(line[0], line[1:]...), done: make(chan error, 1)}
	s.cmd.Env = os.Environ()
	for k, v := range o.Env {
		s.cmd.Env = append(s.cmd.Env, k+"="+v)
	}
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go s.read(bufio.NewScanner(out), ready)
	if err := s.wait(ctx, ready); err != nil {
		s.cmd.Process.Kill()
		return nil, err
	}
	return s, s.findPID()
}

// LogFile is where standard error of the program goes, over all its starts.
func (s *Server) LogFile() string { return filepath.Clean(s.Data) + ".log" }

// read takes the ready line, then drains the pipe and reaps the process.
func (s *Server) read(lines *bufio.Scanner, ready chan<- string) {
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "holdfast: ready "); ok {
			ready <- at
		}
	}
	s.done <- s.cmd.Wait()
}

func (s *Server) wait(ctx context.Context, ready <-chan string) error {
	t := time.NewTimer(readyWithin)
	defer t.Stop()
	select {
	case at := <-ready:
		u, err := url.Parse(at)
		if err != nil {
			return fmt.Errorf("the ready line says %q: %w", at, err)
		}
		s.Addr = u.Host
		return nil
	case err := <-s.done:
		s.done <- err
		return fmt.Errorf("the server ended before it was ready (%v): %s", err, s.LogTail())
	case <-t.C:
		return fmt.Errorf("the server was not ready after %v: %s", readyWithin, s.LogTail())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// LogTail returns the end of the log.
func (s *Server) LogTail() string {
	b, _ := os.ReadFile(s.LogFile())
	return string(b[max(0, len(b)-2000):])
}

// findPID tells the program from a command in front of it.
func (s *Server) findPID() error {
	s.PID = s.cmd.Process.Pid
	if len(s.Wrap) == 0 {
		return nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.PID, s.PID))
	if err != nil || len(bytes.TrimSpace(b)) == 0 { // the command in front has become the program
		return err
	}
	_, err = fmt.Sscan(string(b), &s.PID)
	return err
}

// Kill ends the program as kill -9 does, and waits until it is gone.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Stop asks the program to stop, and waits for its orderly end.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

// Alive tells whether the program still runs.
func (s *Server) Alive() bool {
	select {
	case err := <-s.done:
		s.done <- err
		return false
	default:
		return true
	}
}

// stopWithin bounds how long an orderly stop may take.
const stopWithin = 30 * time.Second

func (s *Server) end(sig syscall.Signal) error {
	if s.Alive() {
		if err := syscall.Kill(s.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	t := time.NewTimer(stopWithin)
	defer t.Stop()
	select {
	case err := <-s.done:
		s.done <- err
		if sig == syscall.SIGKILL {
			return nil
		}
		return err
	case <-t.C:
		s.cmd.Process.Kill()
		return fmt.Errorf("the server did not stop within %v: %s", stopWithin, s.LogTail())
	}
}

// Run runs another command of the program on the same data directory and decodes its JSON into out.
func (s *Server) Run(ctx context.Context, out any, args ...string) error {
	cmd := exec.CommandContext(ctx, s.Bin, append(args, "--data", s.Data, "--json")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("holdfast %s: %w: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("holdfast %s: %w: %.300q", strings.Join(args, " "), err, b)
	}
	return nil
}

// Book is where an account's default address book is.
func Book(id string) string { return "/dav/addressbooks/" + id + "/default/" }

// Calendar is the account with its default calendar in place of its default address book.
func Calendar(a load.Account) load.Account {
	a.Book = strings.Replace(a.Book, "/addressbooks/", "/calendars/", 1)
	return a
}

// AddAccount makes an account and a device by the commands that people type.
func (s *Server) AddAccount(ctx context.Context, email string) (load.Account, error) {
	var account struct{ ID string }
	if err := s.Run(ctx, &account, "account", "add", email, "--no-password"); err != nil {
		return load.Account{}, err
	}
	var device struct{ Password string }
	if err := s.Run(ctx, &device, "app-password", "add", email, "--name", "Phone"); err != nil {
		return load.Account{}, err
	}
	return load.Account{Email: email, Password: device.Password, Book: Book(account.ID)}, nil
}

// AddAccounts makes n accounts with a device each over the control socket, as the commands do, without a process for each.
func (s *Server) AddAccounts(ctx context.Context, prefix string, n int) ([]load.Account, error) {
	return s.AddPeople(ctx, prefix, n, 1)
}

// AddPeople is AddAccounts with more devices for each: they follow one another.
func (s *Server) AddPeople(ctx context.Context, prefix string, n, devices int) ([]load.Account, error) {
	c, err := control.Dial(ctx, s.Data)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	list := make([]load.Account, 0, n*devices)
	for i := range n {
		email := fmt.Sprintf("%s%d@example.org", prefix, i)
		a, err := c.CreateAccount(ctx, control.NewAccount{Email: email})
		if err != nil {
			return nil, err
		}
		for k := range devices {
			name := "Phone"
			if k > 0 {
				name = fmt.Sprintf("Phone %d", k+1)
			}
			d, err := c.AddDevice(ctx, email, name)
			if err != nil {
				return nil, err
			}
			list = append(list, load.Account{Email: email, Password: d.Password, Book: Book(a.ID.String())})
		}
	}
	return list, nil
}
