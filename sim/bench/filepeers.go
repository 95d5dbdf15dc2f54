package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"holdfast/sim/load"
)

// debianApache and debianCyrus are where Debian's packages put what is started here. Their services are left alone: what runs has a directory, ports and settings of its own.
const (
	debianApache = "/usr/lib/apache2/modules"
	debianCyrus  = "/usr/lib/cyrus/bin"
)

// missing returns how to get a program that is not there.
func missing(pkg string, files ...string) string {
	for _, name := range files {
		if _, err := os.Stat(name); err != nil {
			return "it is not installed (apt-get install " + pkg + ")"
		}
	}
	return ""
}

// apacheStand is Apache with mod_dav over a directory.
func (b *bench) apacheStand(ctx context.Context, dir string) (*standing, string, error) {
	const program = "/usr/sbin/apache2"
	if why := missing("apache2-bin", program, debianApache+"/mod_dav_fs.so"); why != "" {
		return nil, why, nil
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, "", err
	}
	data, conf := filepath.Join(dir, "dav"), filepath.Join(dir, "httpd.conf")
	text := fmt.Sprintf("ServerRoot %s\nServerName localhost\nListen %s\nPidFile %[1]s/pid\nErrorLog %[1]s/error.log\nLogLevel error\n", dir, ports[0])
	for _, m := range []string{"mpm_event", "authn_core", "authz_core", "dav", "dav_fs", "dav_lock"} {
		text += fmt.Sprintf("LoadModule %s_module %s/mod_%[1]s.so\n", m, debianApache)
	}
	text += fmt.Sprintf("MaxKeepAliveRequests 0\nDocumentRoot %s\nDavLockDB %s/locks\n<Directory %[1]s>\nDav On\nRequire all granted\n</Directory>\n", data, dir)
	if err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(conf, []byte(text), 0o600)); err != nil {
		return nil, "", err
	}
	v := &servant{dir: dir, as: "www-data"}
	if err := v.serve(ctx, ports[0], program, "-D", "FOREGROUND", "-f", conf); err != nil {
		return nil, "", err
	}
	return &standing{&web{addr: ports[0], path: "/"}, data, noCPU, v.stop}, "", nil
}

// cyrusStand is the file service of Cyrus: /dav/drive of its httpd, in an account that is made over IMAP.
func (b *bench) cyrusStand(ctx context.Context, dir string) (*standing, string, error) {
	const program = debianCyrus + "/master"
	if why := missing("cyrus-imapd cyrus-caldav sasl2-bin", program, debianCyrus+"/imapd", debianCyrus+"/httpd", "/usr/sbin/saslpasswd2"); why != "" {
		return nil, why, nil
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, "", err
	}
	v := &servant{dir: dir, as: "cyrus"}
	if err := cyrusConfig(ctx, v, ports[0], ports[1]); err != nil {
		return nil, "", err
	}
	if err := v.serve(ctx, ports[0], program, "-C", dir+"/imapd.conf", "-M", dir+"/cyrus.conf", "-p", dir+"/pid", "-D"); err != nil {
		return nil, "", err
	}
	at := &web{addr: ports[1], path: "/dav/drive/user/p0/", user: "p0", password: "x"}
	for _, step := range []func() error{
		func() error { return v.await(ctx, at.addr) }, func() error { return cyrusMailbox(ctx, ports[0], at.user) }, func() error { return cyrusHome(ctx, at) },
	} {
		if err := step(); err != nil {
			return nil, "", errors.Join(err, v.stop())
		}
	}
	return &standing{at, filepath.Join(dir, "spool"), noCPU, v.stop}, "", nil
}

// cyrusConfig writes what Cyrus reads, and the passwords of its administrator and of one account.
func cyrusConfig(ctx context.Context, v *servant, imap, http string) error {
	as := v.as
	if os.Geteuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return err
		}
		as = u.Username
	}
	text := fmt.Sprintf("cyrus_user: %s\nadmins: admin\nallowplaintext: yes\nunixhierarchysep: no\naltnamespace: no\nservername: localhost\ndefaultpartition: default\nhttpmodules: webdav carddav caldav\n"+
		"sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_mech_list: PLAIN\nsasl_sasldb_path: %s/sasldb2\n", as, v.dir)
	for key, name := range map[string]string{"configdirectory": "conf", "partition-default": "spool", "proc_path": "proc", "mboxname_lockpath": "lock", "sievedir": "sieve", "idlesocket": "idle", "notifysocket": "notify", "lmtpsocket": "lmtp"} {
		text += fmt.Sprintf("%s: %s/%s\n", key, v.dir, name)
	}
	const tool = debianCyrus + "/ctl_cyrusdb"
	services := fmt.Sprintf("START {\n recover cmd=\"%[1]s -C %[2]s/imapd.conf -r\"\n}\nSERVICES {\n imap cmd=\"imapd -C %[2]s/imapd.conf\" listen=\"%[3]s\" proto=\"tcp4\" prefork=0 maxchild=10\n"+
		" http cmd=\"httpd -C %[2]s/imapd.conf\" listen=\"%[4]s\" proto=\"tcp4\" prefork=%[5]d maxchild=100\n}\nEVENTS {\n checkpoint cmd=\"%[1]s -C %[2]s/imapd.conf -c\" period=30\n}\n", tool, v.dir, imap, http, fileHands)
	err := errors.Join(os.WriteFile(v.dir+"/imapd.conf", []byte(text), 0o600), os.WriteFile(v.dir+"/cyrus.conf", []byte(services), 0o600))
	for _, name := range []string{"conf", "spool", "proc", "lock", "sieve"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(v.dir, name), 0o700))
	}
	for _, name := range []string{"admin", "p0"} {
		cmd := exec.CommandContext(ctx, "/usr/sbin/saslpasswd2", "-f", v.dir+"/sasldb2", "-c", "-p", "-u", "localhost", name)
		cmd.Stdin = strings.NewReader("x\n")
		out, cerr := cmd.CombinedOutput()
		if cerr != nil {
			cerr = fmt.Errorf("saslpasswd2: %w: %.200s", cerr, out)
		}
		err = errors.Join(err, cerr)
	}
	return err
}

// cyrusHome asks for a home once: Cyrus makes it then, and several who ask at once are told 500.
func cyrusHome(ctx context.Context, at *web) error {
	c, err := load.Dial(ctx, at.addr, time.Now().Add(time.Minute))
	if err != nil {
		return err
	}
	defer c.Close()
	a, err := c.Do(fmt.Appendf(nil, "PROPFIND %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nDepth: 0\r\n\r\n", at.path, load.Basic(at.user, at.password)))
	if err == nil && a.Status != 207 {
		err = fmt.Errorf("PROPFIND %s: %d %.200s", at.path, a.Status, a.Body)
	}
	return err
}

// cyrusMailbox makes an account's mailbox.
func cyrusMailbox(ctx context.Context, addr, name string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	r := bufio.NewReader(c)
	for i, line := range []string{"LOGIN admin x", "CREATE user." + name} {
		if _, err := fmt.Fprintf(c, "%d %s\r\n", i, line); err != nil {
			return err
		}
		for {
			answer, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			rest, ours := strings.CutPrefix(answer, fmt.Sprint(i, " "))
			if ours && !strings.HasPrefix(rest, "OK") {
				return fmt.Errorf("IMAP %s: %s", line, rest)
			}
			if ours {
				break
			}
		}
	}
	return nil
}
