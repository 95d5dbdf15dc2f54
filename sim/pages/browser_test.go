package pages

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// browser is a Chromium of this test's own, with one open tab. It is told what to do over two pipes: messages of JSON, each ended by a zero octet.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	n       int
}

// message is what goes either way.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// patience is how long the browser may take for one thing.
const patience = 30 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// passOver skips a test for want of something that the machine should have; continuous integration must have it.
func passOver(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// open starts Chromium with a profile of its own, until the test ends.
func open(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		passOver(t, "chromium is not installed (Debian's package chromium): no page was looked at")
	}
	home := t.TempDir()
	args := []string{"--headless=new", "--remote-debugging-pipe", "--user-data-dir=" + filepath.Join(home, "profile"), "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1", "--lang=en"}
	if os.Getuid() == 0 { // its sandbox refuses the superuser, as in containers; it sees our own pages alone
		args = append(args, "--no-sandbox")
	}
	theirsIn, oursOut, err := os.Pipe()
	must(t, err)
	oursIn, theirsOut, err := os.Pipe()
	must(t, err)
	cmd := exec.Command(program, append(args, "about:blank")...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	cmd.ExtraFiles = []*os.File{theirsIn, theirsOut} // 3 and 4, as the flag says
	var said bytes.Buffer
	cmd.Stderr = &said
	must(t, cmd.Start())
	theirsIn.Close()
	theirsOut.Close()
	b := &browser{t: t, to: oursOut, from: bufio.NewReaderSize(oursIn, 1<<20)}
	t.Cleanup(func() {
		oursOut.Close() // it ends when nobody can tell it anything any more
		oursIn.Close()
		ended := make(chan struct{})
		go func() { defer close(ended); _ = cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("chromium said: %.2000s", said.String())
		}
	})
	var made struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	b.call("Target.attachToTarget", map[string]any{"targetId": made.TargetID, "flatten": true}, &made)
	b.session = made.SessionID
	b.call("Page.enable", nil, nil)
	b.call("Page.setBypassCSP", map[string]any{"enabled": true}, nil) // for axe-core alone: our pages have no script
	return b
}

// call has the browser do something, and waits for what comes of it.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.n++
	if params == nil {
		params = map[string]any{}
	}
	text, err := json.Marshal(message{ID: b.n, Session: b.session, Method: method, Params: params})
	must(b.t, err)
	_, err = b.to.Write(append(text, 0))
	must(b.t, err)
	m := b.await(method, func(m *message) bool { return m.ID == b.n })
	if m.Error != nil {
		b.t.Fatalf("%s: %s", method, m.Error.Message)
	}
	if result != nil {
		must(b.t, json.Unmarshal(m.Result, result))
	}
}

// await reads messages until one is what is waited for.
func (b *browser) await(what string, is func(*message) bool) *message {
	b.t.Helper()
	type read struct {
		m   *message
		err error
	}
	got := make(chan read, 1)
	go func() {
		for {
			text, err := b.from.ReadBytes(0)
			m := &message{}
			if err == nil {
				err = json.Unmarshal(text[:len(text)-1], m)
			}
			if err != nil || is(m) {
				got <- read{m, err}
				return
			}
		}
	}()
	select {
	case r := <-got:
		if r.err != nil {
			b.t.Fatalf("%s: %v", what, r.err)
		}
		return r.m
	case <-time.After(patience):
		b.t.Fatalf("%s: no answer from chromium in %v", what, patience)
	}
	return nil
}

// look shows a page at a width and in a scheme, and waits until all of it is there.
func (b *browser) look(url string, width int, scheme string) {
	b.t.Helper()
	b.size(width, scheme)
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if b.eval(fmt.Sprintf("document.readyState === 'complete' && location.href === %q", url)) == "true" {
			return
		}
		if time.Now().After(until) {
			b.t.Fatalf("%s is not shown, but %s", url, b.eval("location.href"))
		}
	}
}

// size shows what is shown at a width and in a scheme.
func (b *browser) size(width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// eval returns what an expression of JavaScript comes to, as JSON.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	var out struct {
		Result struct{ Value json.RawMessage }
		Wrong  *struct{ Text string } `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &out)
	if out.Wrong != nil {
		b.t.Fatalf("%.80s: %s", expression, out.Wrong.Text)
	}
	return string(out.Result.Value)
}

// picture returns the whole page as PNG.
func (b *browser) picture() []byte {
	b.t.Helper()
	var out struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &out)
	return out.Data
}
