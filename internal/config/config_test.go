package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	AddDataFlags(fs)
	AddServeFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

func write(t *testing.T, dir, text string) string {
	t.Helper()
	name := filepath.Join(dir, FileName)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFlagsBeforeEnvironmentBeforeFileBeforeDefaults(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, `
listen = "127.0.0.1:1"
admin_listen = "127.0.0.1:2"
retry_after = "7s"
trusted_proxy = ["10.0.0.0/8", "192.0.2.1"]
[timeouts]
idle = "3s"
[limits]
resource = "2MiB"
`)
	c, err := Load(Source{
		Flags:   flags(t, "--data", dir, "--listen", "127.0.0.1:3", "--http-without-tls"),
		Environ: []string{"HOLDFAST_ADMIN_LISTEN=127.0.0.1:4", "HOLDFAST_LISTEN=127.0.0.1:5", "HOLDFAST_LIMITS_QUOTA=5GB", "PATH=/bin"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.AdminListen != "127.0.0.1:4" || c.RetryAfter != 7*time.Second || c.Timeouts.Idle != 3*time.Second ||
		c.Limits.Resource != 2<<20 || c.Limits.Quota != 5e9 || !c.HTTPWithoutTLS || len(c.TrustedProxies) != 2 || c.FirstVault != "" {
		t.Errorf("values: %+v", c)
	}
	for key, want := range map[string]string{"listen": "flag --listen", "admin_listen": "environment HOLDFAST_ADMIN_LISTEN", "timeouts.idle": "file " + file,
		"volatile": "default", "trusted_proxy": "file " + file, "data": "flag --data"} {
		if got := c.Sources[key]; got != want {
			t.Errorf("source of %s: %q, want %q", key, got, want)
		}
	}
}

func TestDefaultsAreValid(t *testing.T) {
	c, err := Load(Source{Environ: []string{"HOLDFAST_DATA=" + t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8420" || c.AdminListen != "127.0.0.1:8421" || c.RetryAfter != 300*time.Second || c.File != "" {
		t.Errorf("%+v", c)
	}
}

// TestPrintedIsReadAgain holds that what config print shows is a file that means the same.
func TestPrintedIsReadAgain(t *testing.T) {
	data := t.TempDir()
	c, err := Load(Source{Environ: []string{"HOLDFAST_DATA=" + data, "HOLDFAST_TRUSTED_PROXY=10.0.0.0/8,2001:db8::/32", "HOLDFAST_LIMITS_IMPORT=3MiB"}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, k := range c.Keys() {
		b.WriteString(k.Name + " = " + k.TOML() + "\n")
	}
	again, err := Load(Source{Environ: []string{"HOLDFAST_CONFIG=" + write(t, t.TempDir(), b.String())}})
	if err != nil {
		t.Fatal(err)
	}
	want, got := c.Keys(), again.Keys()
	for i := range want {
		if want[i].Text() != got[i].Text() {
			t.Errorf("%s: %q became %q", want[i].Name, want[i].Text(), got[i].Text())
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		env, args  []string
		want       string
	}{
		{"unknown key", "lisen = 'x'", nil, nil, `no setting "lisen"; did you mean listen?`},
		{"unknown key in a table", "[timeouts]\nidel = '1s'", nil, nil, `"timeouts.idel"; did you mean timeouts.idle?`},
		{"nothing near", "zzzzzzzzzzzzzzzzzzzzzzzz = 1", nil, nil, `no setting "zzzzzzzzzzzzzzzzzzzzzzzz"`},
		{"unknown variable", "", []string{"HOLDFAST_LISTN=x"}, nil, "HOLDFAST_LISTN, which is no setting; did you mean HOLDFAST_LISTEN?"},
		{"no secret", "", []string{"HOLDFAST_LISTEN_FILE=x"}, nil, "HOLDFAST_LISTEN_FILE, which is no setting"},
		{"broken", "listen = \n", nil, nil, "is not TOML at line 1"},
		{"data in data", "data = '/x'", nil, nil, "data cannot be set in the file"},
		{"duration", "retry_after = 'soon'", nil, nil, `retry_after (file `},
		{"duration of env", "", []string{"HOLDFAST_RETRY_AFTER=-5s"}, nil, `retry_after (environment HOLDFAST_RETRY_AFTER): "-5s" is not a duration`},
		{"zero", "", []string{"HOLDFAST_TIMEOUTS_STALL=0"}, nil, "timeouts.stall: 0 is too little"},
		{"size", "", []string{"HOLDFAST_LIMITS_RESOURCE=ten"}, nil, `"ten" is not a size`},
		{"list for a value", "listen = ['a', 'b']", nil, nil, "takes one value"},
		{"address", "", nil, []string{"--listen", "8420"}, `"8420" is not an address`},
		{"port", "", nil, []string{"--listen", "127.0.0.1:99999"}, "the port"},
		{"cidr", "", nil, []string{"--trusted-proxy", "10.0.0.0/40"}, "not an address range"},
		{"half a certificate", "", nil, []string{"--tls-cert", "x"}, "needs its key"},
		{"two ways", "", nil, []string{"--tls-cert", "x", "--tls-key", "y", "--acme", "a.example.org"}, "choose one"},
		{"no domain", "", nil, []string{"--acme", "https://a.example.org"}, "not a domain"},
		{"path", "", nil, []string{"--public-url", "https://example.org/dav"}, "has a path"},
		{"unspecified", "", nil, []string{"--public-url", "http://0.0.0.0:80"}, "cannot be opened"},
		{"no url", "", nil, []string{"--public-url", "example.org"}, "not a URL"},
		{"policy", "", []string{"HOLDFAST_POLICY_ON_FAILURE=lenient"}, nil, "policy.on_failure: \"lenient\" is neither strict nor degraded"},
		{"no policy", "", nil, []string{"--ack", ""}, "policy.ack: say which copies"},
		{"level", "", []string{"HOLDFAST_LOG_LEVEL=loud"}, nil, "none of debug"},
		{"mail in the open", "", []string{"HOLDFAST_NOTIFY_MAIL_SERVER=mail.example.org:25", "HOLDFAST_NOTIFY_MAIL_TLS=none", "HOLDFAST_NOTIFY_MAIL_FROM=a@example.org", "HOLDFAST_NOTIFY_MAIL_TO=b@example.org"}, nil, "notify.mail.tls: none is for a mail server on this machine alone"},
		{"mail to nobody", "", []string{"HOLDFAST_NOTIFY_MAIL_SERVER=mail.example.org:587", "HOLDFAST_NOTIFY_MAIL_FROM=a@example.org"}, nil, "say to whom"},
		{"mail to no address", "", []string{"HOLDFAST_NOTIFY_MAIL_SERVER=mail.example.org:587", "HOLDFAST_NOTIFY_MAIL_FROM=a@example.org", "HOLDFAST_NOTIFY_MAIL_TO=b"}, nil, `"b" is not a mail address`},
		{"half a sign-in", "", []string{"HOLDFAST_NOTIFY_MAIL_SERVER=mail.example.org:587", "HOLDFAST_NOTIFY_MAIL_USER=a"}, nil, "takes both"},
		{"a token in the open", "", []string{"HOLDFAST_NOTIFY_WEBHOOK_URL=http://example.org/s3cret", "HOLDFAST_NOTIFY_WEBHOOK_TOKEN=t"}, nil, "notify.webhook.url: without TLS the token"},
		{"a token for nothing", "", []string{"HOLDFAST_NOTIFY_NTFY_TOKEN=t"}, nil, "no notify.ntfy.url"},
		{"no file", "", nil, []string{"--config", "/does/not/exist"}, "does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.file != "" {
				write(t, dir, tt.file)
			}
			_, err := Load(Source{Flags: flags(t, append([]string{"--data", dir}, tt.args...)...), Environ: tt.env})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "key")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Source{Environ: []string{"HOLDFAST_DATA=" + dir, "HOLDFAST_ACME_KEY_ID=me", "HOLDFAST_ACME_KEY_FILE=" + secret}})
	if err != nil {
		t.Fatal(err)
	}
	if c.ACME.Key != "s3cret" {
		t.Errorf("key: %q", c.ACME.Key)
	}
	i := slices.IndexFunc(c.Keys(), func(k Key) bool { return k.Name == "acme.key" })
	if k := c.Keys()[i]; strings.Contains(k.Text()+k.TOML(), "s3cret") || k.JSON() == "s3cret" {
		t.Errorf("the secret is shown: %s", k.Text())
	}
	_, err = Load(Source{Environ: []string{"HOLDFAST_ACME_KEY_FILE=/does/not/exist"}})
	if err == nil {
		t.Error("a secret's file that is not there was passed over")
	}
}

func TestEveryKeyIsUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range new(Config).Keys() {
		for _, n := range []string{k.Name, k.Env(), "--" + k.Flag} {
			if n != "--" && seen[n] {
				t.Errorf("%s stands twice", n)
			}
			seen[n] = true
		}
		if k.Help == "" || strings.HasSuffix(k.Help, ".") {
			t.Errorf("%s: help %q", k.Name, k.Help)
		}
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:1": false, "[::1]:1": false, "localhost:1": false, "127.9.9.9:0": false,
		":8420": true, "0.0.0.0:1": true, "[::]:1": true, "192.0.2.1:1": true, "example.org:1": true} {
		if got := (&Config{Listen: addr}).BeyondLoopback(); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

func TestFirstVaultDir(t *testing.T) {
	for _, x := range []struct{ data, vault, want string }{
		{"/srv/data", "", "/srv/holdfast-vault"}, {"/srv/data/", "", "/srv/holdfast-vault"}, {"/srv/data", "none", ""}, {"/srv/data", "/mnt/v", "/mnt/v"}, {"/", "", "/holdfast-vault"},
	} {
		c := Config{Data: x.data, FirstVault: x.vault}
		if got, err := c.FirstVaultDir(); err != nil || got != x.want {
			t.Errorf("data %s, first vault %q: %s, %v; want %s", x.data, x.vault, got, err, x.want)
		}
	}
	c := Config{Data: "."}
	got, err := c.FirstVaultDir()
	if here, _ := os.Getwd(); err != nil || got != filepath.Join(filepath.Dir(here), FirstVaultName) {
		t.Errorf("a data directory that is the working directory: %s, %v", got, err)
	}
}

// TestNoLimitIsALimit: where the help says what 0 means, 0 is taken.
func TestNoLimitIsALimit(t *testing.T) {
	c, err := Load(Source{Environ: []string{"HOLDFAST_DATA=" + t.TempDir(), "HOLDFAST_SCRUB_RATE=0", "HOLDFAST_LIMITS_QUOTA=0"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range c.Keys() {
		if !strings.Contains(k.Help, "0: no limit") {
			continue
		}
		if _, err := Load(Source{Environ: []string{"HOLDFAST_DATA=" + t.TempDir(), k.Env() + "=0"}}); err != nil {
			t.Errorf("%s: its help says what 0 means, and 0 is refused: %v", k.Name, err)
		}
	}
}
