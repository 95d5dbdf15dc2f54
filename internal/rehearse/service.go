package rehearse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// service is the program under rehearsal: its data directory, its address, and the process that serves.
type service struct {
	bin   string
	data  string
	env   []string
	log   string // where standard error of all its processes goes
	flags []string
	addr  string // host:port, kept over all starts once it is known
	clock clock.Clock
	proc  *proc // nil: nobody serves
}

// proc is a running `serve`.
type proc struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it is gone
	err  error         // how it ended
}

const (
	readyWithin = time.Minute
	stopWithin  = 30 * time.Second
)

// childEnv is the environment without settings: what the user has set for his own service is not for this one.
func childEnv(environ []string) []string {
	var out []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "HOLDFAST_") {
			out = append(out, e)
		}
	}
	return out
}

func failed(kind holdfast.ErrorKind, ref, format string, args ...any) error {
	return &holdfast.Error{Op: "rehearse", Kind: kind, Ref: ref, Text: fmt.Sprintf(format, args...)}
}

// start runs `serve` and waits until it is ready.
func (s *service) start(ctx context.Context, more ...string) error {
	ready, err := s.launch(more...)
	if err != nil {
		return err
	}
	return s.awaitReady(ctx, ready)
}

// launch runs `serve`.
func (s *service) launch(more ...string) (ready <-chan string, err error) {
	addr := s.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	args := append([]string{"serve", "--data", s.data, "--listen", addr, "--admin-listen", "none"}, s.flags...)
	cmd := exec.Command(s.bin, append(args, more...)...)
	cmd.Env, cmd.SysProcAttr = s.env, inGroup()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the log: %w", err)
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, failed(holdfast.Unavailable, s.bin, "the program cannot be started: %v", err)
	}
	s.proc = &proc{cmd: cmd, done: make(chan struct{})}
	said := make(chan string, 1)
	go s.proc.follow(out, said)
	return said, nil
}

// follow takes the ready line, drains the pipe and reaps the process.
func (p *proc) follow(out io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "holdfast: ready "); ok {
			ready <- at
		}
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// awaitReady waits until a service that was launched is ready. One that does not get there is ended.
func (s *service) awaitReady(ctx context.Context, ready <-chan string) error {
	p := s.proc
	within, cancel := clock.WithTimeout(ctx, s.clock, readyWithin)
	defer cancel()
	var err error
	select {
	case at := <-ready:
		u, bad := url.Parse(at)
		if bad == nil {
			s.addr = u.Host
			return nil
		}
		err = fmt.Errorf("serve: the ready line says %q: %w", at, bad)
	case <-p.done:
		err = failed(holdfast.Unavailable, s.data, "the service ended before it was ready (%v): %s", p.err, s.tail())
	case <-within.Done():
		if err = context.Cause(ctx); err == nil {
			err = failed(holdfast.Unavailable, s.data, "the service was not ready after %v: %s", readyWithin, s.tail())
		}
	}
	return errors.Join(err, s.kill())
}

func (s *service) url() string { return "http://" + s.addr }

// tail is the end of the log.
func (s *service) tail() string {
	b, _ := os.ReadFile(s.log)
	return strings.TrimSpace(string(b[max(0, len(b)-1500):]))
}

// end kills the process and waits until it is gone.
func (p *proc) end() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	err := endGroup(p.cmd.Process)
	<-p.done
	return err
}

// kill ends the service as kill -9 does.
func (s *service) kill() error {
	if s.proc == nil {
		return nil
	}
	err := s.proc.end()
	s.proc = nil
	return err
}

// stop asks the service to stop, and waits for its orderly end.
func (s *service) stop(ctx context.Context) error {
	if s.proc == nil {
		return nil
	}
	if err := ask(s.proc.cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop: %w", err)
	}
	within, cancel := clock.WithTimeout(ctx, s.clock, stopWithin)
	defer cancel()
	select {
	case <-s.proc.done:
		s.proc = nil
		return nil
	case <-within.Done():
		return errors.Join(failed(holdfast.Busy, s.data, "the service did not stop within %v", stopWithin), s.kill())
	}
}

// run runs another command of the program to its end, decodes what --json says into out, and returns the exit status. Only an end that is no exit is an error.
func (s *service) run(ctx context.Context, out any, args ...string) (code int, err error) {
	cmd := exec.CommandContext(ctx, s.bin, append(args, "--json")...)
	cmd.Env, cmd.SysProcAttr = s.env, inGroup()
	cmd.Cancel = func() error { return endGroup(cmd.Process) }
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		code = exit.ExitCode()
	case err != nil:
		return 0, fmt.Errorf("holdfast %s: %w", args[0], err)
	}
	s.note(args, stderr.Bytes())
	if out != nil && json.Unmarshal(stdout.Bytes(), out) != nil {
		return code, failed(holdfast.Unavailable, "", "holdfast %s ends with %d and says: %.400s", args[0], code, bytes.TrimSpace(append(stdout.Bytes(), stderr.Bytes()...)))
	}
	return code, nil
}

// must is run of a command that has to succeed.
func (s *service) must(ctx context.Context, out any, args ...string) error {
	if out == nil {
		out = &json.RawMessage{}
	}
	code, err := s.run(ctx, out, args...)
	if err == nil && code != 0 {
		err = failed(holdfast.Unavailable, "", "holdfast %s ends with %d: %s", args[0], code, s.tail())
	}
	return err
}

// note keeps what a command said beside the log of the service.
func (s *service) note(args []string, text []byte) {
	f, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return // it is only for people who look afterwards
	}
	defer f.Close()
	fmt.Fprintf(f, "# holdfast %s\n%s", strings.Join(args, " "), text)
}

// children makes sure that nothing outlives the rehearsal.
type children struct {
	mu   sync.Mutex
	list []*service
}

func (c *children) service(bin, dir string, env []string, k clock.Clock) *service {
	s := &service{bin: bin, data: filepath.Join(dir, "data"), env: env, log: filepath.Join(dir, "service.log"), clock: k}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, s)
	return s
}

func (c *children) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var bad []error
	for _, s := range c.list {
		bad = append(bad, s.kill())
	}
	return errors.Join(bad...)
}
