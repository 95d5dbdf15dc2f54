package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/library"
	"holdfast/sim/server"
)

// phone asks which photos it may let go of, and puts some, from the machine that the service runs on.
type phone struct {
	*camera
	host   namespace
	client *http.Client
}

func (p *phone) put(name string, octets []byte) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPut, p.url(name), bytes.NewReader(octets))
	if err != nil {
		p.t.Fatal(err)
	}
	r.SetBasicAuth(p.a.Email, p.a.Password)
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		p.t.Fatalf("PUT %s: %s", name, resp.Status)
	}
}

// safety is what `photos safe` says. Its exit status 1 says that one is not.
func (p *phone) safety() (out library.Safety) {
	p.t.Helper()
	b, err := exec.CommandContext(p.t.Context(), p.s.Bin, "photos", "safe", p.a.Email, "--data", p.s.Data, "--json").Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil
	}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		p.t.Fatalf("photos safe: %v\n%s", err, b)
	}
	return out
}

// want waits until all photos are safe, or none is, and why says so.
func (p *phone) want(what string, photos int, safe bool, why string) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		s, good := p.safety(), 0
		for _, x := range s.Photos {
			if x.Verdict.Safe == safe && strings.Contains(x.Verdict.Why, why) {
				good++
			}
		}
		if len(s.Photos) == photos && good == photos {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s: of %d photos %d are as they should be: %+v", what, len(s.Photos), good, s)
		}
	}
}

// run is a command that is to succeed.
func (p *phone) run(args ...string) {
	p.t.Helper()
	if out, err := exec.CommandContext(p.t.Context(), p.s.Bin, append(args, "--data", p.s.Data)...).CombinedOutput(); err != nil {
		p.t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// TestPhotosAreSafeOnAnotherMachine: a phone may let its photos go once a vault on another machine has them and was read since, and not any more once that vault is said to end with one on this machine.
func TestPhotosAreSafeOnAnotherMachine(t *testing.T) {
	host, house := newNamespace(t, "service"), newNamespace(t, "friend")
	join(t, host, house, "192.0.2.10/24", "192.0.2.30/24")
	dir := t.TempDir()
	resolv := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(resolv, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var friends []*friend
	for _, x := range []struct {
		name string
		at   namespace
		addr string
	}{{"far", house, "192.0.2.30:8430"}, {"near", host, "127.0.0.1:8430"}} {
		f := &friend{t: t, bin: program(t), dir: filepath.Join(dir, x.name), wrap: x.at.wrap(resolv), listen: x.addr}
		f.start()
		t.Cleanup(f.kill)
		friends = append(friends, f)
	}
	s := start(t, server.Options{Bin: program(t), Data: filepath.Join(dir, "data"), Wrap: host.wrap(resolv), Env: map[string]string{"HOLDFAST_PHOTOS_RESERVE": "1MiB"}})
	a, err := s.AddAccount(t.Context(), "alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{&camera{t, s, a}, host, &http.Client{Transport: &http.Transport{DialContext: host.dial}}}
	t.Cleanup(p.client.CloseIdleConnections)
	add := func(name string, f *friend) {
		t.Helper()
		p.run("vault", "add", name, "remote", f.url, "--domain", "friends-house", "--credential", filepath.Join(f.dir, ".server", "append.txt"))
	}
	p.put("IMG_20091003_140506.jpg", picture(t, 400, 300, 1))
	p.want("with the first vault alone", 1, false, "no copy that would outlive")
	add("far", friends[0])
	p.put("IMG_20091003_140507.jpg", picture(t, 400, 300, 2))
	for _, photos := range []int{2, 3} {
		if photos > 2 {
			p.put("IMG_20091003_140508.jpg", picture(t, 400, 300, 3))
		}
		p.whole("far")
		p.run("vault", "verify", "far")
		p.want("read", photos, true, "3 copies in 2 failure domains; in vault far it was last verified")
	}
	add("near", friends[1])
	p.want("it is said to end with one that ends with the service", 3, false, "no copy that would outlive")
	p.run("vault", "retire", "near")
	p.want("that is off the list", 3, true, "in vault far")
}

// whole waits until a vault has everything.
func (p *phone) whole(name string) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, err := exec.CommandContext(p.t.Context(), p.s.Bin, "vault", "list", "--data", p.s.Data).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) > 3 && f[0] == name && f[3] == "whole" {
				return
			}
		}
		if time.Now().After(end) {
			p.t.Fatalf("the vault %s is not whole: %v\n%s", name, err, out)
		}
	}
}
