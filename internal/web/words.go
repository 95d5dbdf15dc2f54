package web

import (
	"context"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/core"
)

// words are the functions of the templates.
func (s *Server) words() template.FuncMap {
	return template.FuncMap{
		"when":      func(t time.Time) template.HTML { return when(t, s.Now()) },
		"at":        func(t time.Time) template.HTML { return when(t, time.Time{}) },
		"until":     until,
		"count":     func(n any, one, many string) string { return count(whole(n), one, many) },
		"thousands": func(n any) string { return thousands(whole(n)) },
		"span":      span,
		"second":    second,
		"date":      date,
		"clock":     clockTime,
		"more":      func(n, listed int) int { return n - listed },
		"weekday":   func(t time.Time) string { return t.UTC().Format("Monday, 2 January 2006") },
	}
}

// when writes a time and, if now is later, how long ago it was. The server does not know the reader's time zone; UTC is always said.
func when(t, now time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	text := t.UTC().Format("2 Jan 2006 15:04 UTC")
	if a := ago(now.Sub(t)); a != "" {
		text += " (" + a + ")"
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + text + `</time>`)
}

// second writes a time to the second: what is said on a page is true at that moment.
func second(t time.Time) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + t.UTC().Format("2 Jan 2006 15:04:05 UTC") + `</time>`)
}

// date writes a day.
func date(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + t.UTC().Format("2 Jan 2006") + `</time>`)
}

// whole takes a number of a template, of whatever width.
func whole(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case uint64:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// until writes a moment that is near.
func until(t time.Time) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + t.UTC().Format("15:04 UTC") + `</time>`)
}

// clockTime writes the time of a day that is said above it.
func clockTime(t time.Time) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + t.UTC().Format("15:04") + `</time>`)
}

func ago(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int64(d/time.Minute), "minute", "minutes") + " ago"
	case d < 48*time.Hour:
		return count(int64(d/time.Hour), "hour", "hours") + " ago"
	default:
		return count(int64(d/(24*time.Hour)), "day", "days") + " ago"
	}
}

// count writes a number with its noun: "1 contact", "1,204 contacts".
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// sentence makes a sentence of an error's text: a capital at its beginning, a full stop at its end.
func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n > 0 && unicode.IsLower(r) {
		s = string(unicode.ToUpper(r)) + s[n:]
	}
	if s != "" && !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// Copy is a place that holds the data. The overview shows a card for each. It never says where a place is, how large it is, or what went wrong there in the words of a program: that is the operator's, and tells of others.
type Copy struct {
	Place    string    // "this server's disk"
	Domain   string    // what fails together: "this machine"
	With     string    // the same in words, where the domain's name would say more than is known
	Verified time.Time // when its octets were last compared with their hashes; zero: never
	Note     string    // one sentence

	// Of vaults alone:
	Vault        string        // what the operator calls it; empty: this is the server's own disk
	State        string        // in a word
	Counts       bool          // it was whole once, and takes changes now
	Batch        uint64        // the newest batch of the store that it has
	Answered     time.Time     // when it was last seen to have that; zero: not since the start
	Late         time.Duration // how long it may not have answered, and how far it may be behind
	Behind       time.Duration // since when the oldest change waits that it lacks
	Added        time.Time     // when it came to be
	VerifyWithin time.Duration // in which it should be verified
	Damaged      int           // objects that were found damaged in it, or missing
}

// stateLine says in one line how safe the data is: a shape, words, and a time.
type stateLine struct {
	Level string // "ok", "caution" or "danger": never "ok" for what is weak or not known
	Word  string
	Text  string
	More  string // what else there is; empty: nothing
	At    time.Time
}

// copies returns where the data lies. Without vaults that is one place.
func (s *Server) copies() []Copy {
	if s.Copies != nil {
		return s.Copies()
	}
	return []Copy{{Place: "This server's disk", Domain: "this machine", Note: "Every change is on the disk before a device is told that it is stored."}}
}

// state says in one line how safe the data of who is signed in are.
func (s *Server) state(ctx context.Context, x auth.Session) *stateLine {
	f, err := s.facts(ctx, x, nil)
	if err != nil {
		s.Log.Error("how safe an account's data are could not be found out", "err", err)
		return &stateLine{Level: "danger", Word: "Not known now", Text: "How safe your data are could not be found out.", At: s.Now()}
	}
	return f.judge().line(f.Now)
}

// seenLine is what a device has seen of one collection, in words.
type seenLine struct {
	Collection string
	Text       string    // … and the time, and
	Tail       string    // what follows
	At         time.Time // zero: never
	Level      string    // "ok", "" or "caution"
}

// seen tells what a device has seen of a collection, from what it last showed us: a token of its last sync, or that it was given a full list.
// own is when the device itself made the newest change, if nobody else made one since that sync; otherwise zero.
func seen(c *holdfast.Collection, d *core.Device, own time.Time) seenLine {
	line := seenLine{Collection: collectionLabel(c), Text: "never synced"}
	for _, x := range d.Seen {
		if x.Collection != c.ID {
			continue
		}
		line.At = x.At
		switch {
		case x.Seq > c.Seq && x.Epoch >= c.Epoch:
			line.Text, line.Tail, line.Level = "last synced", "; it has seen changes that this server does not have", "caution"
		case x.Seq < c.Seq && !own.IsZero():
			line.Text, line.Level = "up to date,", "ok"
			if own.After(x.At) {
				line.At = own
			}
		case x.Seq < c.Seq:
			line.Text, line.Tail = "behind: last synced", "; newer changes wait for it"
		case x.Full:
			line.Text, line.Tail, line.Level = "up to date,", ", when it was given the full list", "ok"
		default:
			line.Text, line.Level = "up to date,", "ok"
		}
	}
	return line
}

// collectionLabel returns a collection's display name, or the name in its path.
func collectionLabel(c *holdfast.Collection) string {
	if text := c.Properties.Text("DAV:", "displayname"); text != "" {
		return text
	}
	return c.Name
}
