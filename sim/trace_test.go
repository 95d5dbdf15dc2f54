package sim

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// call is one system call in the output of `strace -f -y`. Lines are numbered as the kernel's stops came, so a call that ended on an earlier line than another
// began on had ended before it began.
type call struct {
	name       string
	args       string
	result     string
	begin, end int // lines; end 0: it had not ended when the trace did
}

var (
	lineWhole   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)`)
	lineBegin   = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	lineResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)`)
)

// readTrace reads the calls, by ascending begin.
func readTrace(r io.Reader) ([]*call, error) {
	var list []*call
	open := map[string]*call{} // by thread
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if m := lineResumed.FindStringSubmatch(line); m != nil {
			if c := open[m[1]]; c != nil && c.name == m[2] {
				c.args, c.result, c.end = c.args+m[3], m[4], n
				delete(open, m[1])
			}
		} else if m := lineBegin.FindStringSubmatch(line); m != nil {
			c := &call{name: m[2], args: m[3], begin: n}
			open[m[1]] = c
			list = append(list, c)
		} else if m := lineWhole.FindStringSubmatch(line); m != nil {
			list = append(list, &call{name: m[2], args: m[3], result: m[4], begin: n, end: n})
		}
	}
	return list, sc.Err()
}

// file returns what the first argument, a descriptor, stands for: "/data/holdfast.db-wal", "socket:[134347]".
func (c *call) file() string {
	_, rest, ok := strings.Cut(c.args, "<")
	if !ok {
		return ""
	}
	// -y puts the path between < and >, and the first argument ends there or at the next comma.
	end := strings.Index(rest, ">")
	if end < 0 {
		return ""
	}
	return rest[:end]
}

func (c *call) ok() bool { return c.end > 0 && c.result != "" && c.result[0] != '-' && c.result != "?" }

func (c *call) writes() bool {
	return c.name == "write" || c.name == "pwrite64" || c.name == "pwritev" || c.name == "writev" || c.name == "sendto"
}

func (c *call) syncs() bool { return c.name == "fsync" || c.name == "fdatasync" }

const (
	log  = "-wal"    // ends the name of the write-ahead log
	tail = ".frames" // ends the names of what a vault appends to
)

// judgeTrace tells whether the answer to the PUT that brought marker left after the marker was durable: the request was read, then the marker was written into
// the log, then a sync of the log began and ended well, then, with a vault, something was written to its tail, and a sync of that began and ended well, then the answer's first octet was written to the socket. What the
// vault is written is encrypted, so that of many batches at once it cannot be told which; of one after the other it can.
func judgeTrace(list []*call, marker string, vault bool) error {
	at := 0
	next := func(what string, after int, fits func(*call) bool) (*call, error) {
		for ; at < len(list); at++ {
			if c := list[at]; c.begin > after && fits(c) {
				return c, nil
			}
		}
		return nil, fmt.Errorf("%s: there is no %s after line %d of the trace", marker, what, after)
	}
	request, err := next("read of the request", 0, func(c *call) bool {
		return (c.name == "read" || c.name == "recvfrom") && strings.Contains(c.args, ` HTTP/1.1\r\n`) && strings.Contains(c.args, marker) // net/http may have read the first octet before
	})
	if err != nil {
		return err
	}
	answer, err := next("answer", request.end, func(c *call) bool {
		return c.writes() && c.file() == request.file() && strings.Contains(c.args, `"HTTP/1.1 2`)
	})
	if err != nil {
		return err
	}
	at = 0
	logged, err := next("write into the log", request.end, func(c *call) bool {
		return c.writes() && strings.HasSuffix(c.file(), log) && strings.Contains(c.args, marker)
	})
	if err != nil {
		return err
	}
	sync, err := next("sync of the log", logged.end, func(c *call) bool { return c.syncs() && strings.HasSuffix(c.file(), log) && c.ok() })
	if err != nil {
		return err
	}
	if sync.end >= answer.begin {
		return fmt.Errorf("%s: the answer left on line %d of the trace, but the sync that makes it durable began on line %d and ended on line %d", marker, answer.begin, sync.begin, sync.end)
	}
	if !vault {
		return nil
	}
	appended, err := next("append to the vault", sync.begin, func(c *call) bool { return c.writes() && strings.HasSuffix(c.file(), tail) })
	if err != nil {
		return err
	}
	kept, err := next("sync of the vault", appended.end, func(c *call) bool { return c.syncs() && strings.HasSuffix(c.file(), tail) && c.ok() })
	if err != nil {
		return err
	}
	if kept.end >= answer.begin {
		return fmt.Errorf("%s: the answer left on line %d of the trace, but the sync that makes it durable in the vault began on line %d and ended on line %d", marker, answer.begin, kept.begin, kept.end)
	}
	return nil
}
