// Command bench measures Holdfast with the load of phones, beside what this machine can do at best: a bare handler of net/http that stores nothing, and the
// disk's own fdatasync. All of it runs side by side in one run, and each figure stands with its goal and its share of the limit. The client shares the
// cores with the server, as it does in every figure here.
//
// With -peers it measures Radicale and Xandikos with the same load, and Apache's mod_dav and Cyrus with files, where they are installed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// options are the flags.
type options struct {
	quick, json, peers, million bool
	bin, dir, only              string
	serveBare                   bool
	serveFiles                  string
	peerContacts, peerEvents    int

	each     time.Duration // of one run of PUTs
	contacts []int         // sizes of address books
	accounts int           // of the idle server
	rounds   int           // of sync-collection
	restored []int64       // changes of the store that is rebuilt, at least, one size after the other
	pairs    int           // of runs without and with a vault
	fleet    int           // devices

	fileCount, fileRounds, fileSize int   // files that are moved, how often, octets of each
	hugeSize                        int64 // octets of one large file
}

func main() {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "shorter: less exact, within 30 seconds")
	flag.BoolVar(&o.json, "json", false, "print one JSON object instead of a table")
	flag.BoolVar(&o.peers, "peers", false, "measure Radicale and Xandikos too, and with files Apache mod_dav and Cyrus, if they are installed")
	flag.IntVar(&o.peerContacts, "peer-contacts", 1000, "contacts in the peers' address books")
	flag.IntVar(&o.peerEvents, "peer-events", 1000, "events in the peers' calendars")
	flag.BoolVar(&o.million, "million", false, "also ten changes among 1,000,000 contacts, and a store of 1,000,000 changes rebuilt: some minutes more")
	flag.StringVar(&o.bin, "bin", "", "the `PROGRAM` to measure; default: it is built")
	flag.StringVar(&o.dir, "dir", "", "where data is written; default: a temporary `DIR`ectory. It should be on the disk that is of interest")
	flag.StringVar(&o.only, "only", "", "measure only these, of limits,put,vault,phone,events,files,fleet,idle,drill,scrub,peers (`LIST` with commas); drill is a part of vault")
	flag.BoolVar(&o.serveBare, "serve-bare", false, "be the bare handler (the benchmark starts it itself)")
	flag.StringVar(&o.serveFiles, "serve-files", "", "be the bare handler of files in a `DIR`ectory likewise")
	huge := flag.Int64("huge-file", 4096, "`MiB` of the large file that is moved; with -quick 256")
	flag.Parse()
	o.hugeSize = *huge << 20
	if err := run(&o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o *options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if o.serveBare {
		return serveBare(ctx, bareContacts)
	}
	if o.serveFiles != "" {
		return serveBare(ctx, bareFiles(o.serveFiles))
	}
	o.each, o.contacts, o.accounts, o.rounds = 3*time.Second, []int{10_000, 100_000}, 1000, 101
	o.restored, o.pairs, o.fleet = []int64{10_000, 100_000}, 5, 1000
	o.fileCount, o.fileRounds, o.fileSize = 200, 3, 3<<20
	if o.quick {
		o.fileCount, o.fileRounds, o.hugeSize = 40, 1, min(o.hugeSize, 256<<20)
		o.fleet = 200
		o.restored, o.pairs = []int64{5_000, 20_000}, 3
		o.each, o.contacts, o.rounds = time.Second, []int{10_000}, 31
	}
	if o.million {
		o.contacts, o.restored = append(o.contacts, 1_000_000), append(o.restored, 1_000_000)
	}
	dir, err := os.MkdirTemp(o.dir, "holdfast-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil { // some peers run as another user
		return err
	}
	b := &bench{options: o, dir: dir, report: newReport()}
	if b.bin = o.bin; b.bin == "" {
		b.note("building")
		if b.bin, err = server.Build(ctx, dir); err != nil {
			return err
		}
	}
	if err := b.all(ctx); err != nil {
		return err
	}
	b.report.end()
	return b.report.print(os.Stdout, o.json)
}

// bench is one run.
type bench struct {
	*options
	bin    string
	dir    string
	report *report
}

// note tells how far it is, beside the result.
func (b *bench) note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

func (b *bench) all(ctx context.Context) error {
	for _, part := range []struct {
		name string
		run  func(context.Context) error
		skip bool
	}{{"limits", b.limits, false}, {"put", b.puts, false}, {"vault", b.vaults, false}, {"phone", b.phones, false}, {"events", b.events, false}, {"files", b.files, false}, {"fleet", b.fleets, false}, {"idle", b.idle, false}, {"drill", b.drills, b.only == ""}, {"scrub", b.scrubs, b.quick && b.only == ""}, {"peers", b.allPeers, !b.peers}} {
		if part.skip || b.only != "" && !contains(b.only, part.name) {
			continue
		}
		b.note("%s", part.name)
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// start runs Holdfast on a data directory of its own.
func (b *bench) start(ctx context.Context, name string) (*server.Server, error) {
	return server.Start(ctx, server.Options{Bin: b.bin, Data: filepath.Join(b.dir, name)})
}

// writers connects one writer for each account.
func writers(ctx context.Context, addr string, accounts []load.Account, strict bool) ([]*load.Writer, error) {
	list := make([]*load.Writer, len(accounts))
	for i, a := range accounts {
		c, err := load.Dial(ctx, addr, time.Now().Add(time.Hour))
		if err != nil {
			return nil, err
		}
		list[i] = load.NewWriter(c, a, uint64(time.Now().UnixNano()), uint64(i))
		list[i].Strict, list[i].Guarded = strict, strict
	}
	return list, nil
}

func hangUp(list []*load.Writer) {
	for _, w := range list {
		w.Conn.Close()
	}
}
