package web

import (
	"crypto/subtle"
	"io"
	"sync"
	"time"

	"holdfast"
)

// maxLinks bounds how many devices can be in the middle of being added, and how many of one account.
const (
	maxLinks           = 1000
	maxLinksForAccount = 20
)

// link is the way of a new device's app password to the device: good for ten minutes, for one browser. It lives in memory only.
type link struct {
	token    string
	account  holdfast.ID
	device   holdfast.ID
	name     string // of the device
	login    string
	password string // as it is shown, in groups
	expires  time.Time
	owner    string // what the browser that opened it first was given; empty: not opened yet
}

// links holds the links that are good. What expired is dropped when the next one is made or looked for.
type links struct {
	now    func() time.Time
	random io.Reader
	keep   time.Duration

	mu   sync.Mutex
	list []*link // oldest first
}

func newLinks(now func() time.Time, random io.Reader, keep time.Duration) *links {
	return &links{now: now, random: random, keep: keep}
}

// add keeps a new link, and gives it its token and its end. Where there are too many the oldest goes: of this account, then of all.
func (l *links) add(x link) link {
	x.token, x.expires = holdfast.NewID(l.random).String(), l.now().Add(l.keep)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
	mine := 0
	for i := len(l.list) - 1; i >= 0; i-- {
		if l.list[i].account != x.account {
			continue
		}
		if mine++; mine >= maxLinksForAccount {
			l.list = append(l.list[:i], l.list[i+1:]...)
		}
	}
	if len(l.list) >= maxLinks {
		l.list = append([]*link(nil), l.list[1:]...)
	}
	l.list = append(l.list, &x)
	return x
}

// of returns the link of an account's device.
func (l *links) of(account, device holdfast.ID) (link, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
	for _, x := range l.list {
		if x.account == account && x.device == device {
			return *x, true
		}
	}
	return link{}, false
}

// claim opens a link for the browser that holds the secret owner; for one that opens it first, owner is empty and a new secret is returned in the link.
// found is false where no such link is good; mine is false if another browser has it.
func (l *links) claim(token, owner string) (x link, found, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep()
	for _, x := range l.list {
		if subtle.ConstantTimeCompare([]byte(x.token), []byte(token)) != 1 {
			continue
		}
		if x.owner == "" {
			x.owner = holdfast.NewID(l.random).String()
			return *x, true, true
		}
		return *x, true, subtle.ConstantTimeCompare([]byte(x.owner), []byte(owner)) == 1
	}
	return link{}, false, false
}

// drop forgets the link of a device.
func (l *links) drop(device holdfast.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keepIf(func(x *link) bool { return x.device != device })
}

// sweep forgets what expired.
func (l *links) sweep() {
	now := l.now()
	l.keepIf(func(x *link) bool { return now.Before(x.expires) })
}

func (l *links) keepIf(keep func(*link) bool) {
	out := l.list[:0]
	for _, x := range l.list {
		if keep(x) {
			out = append(out, x)
		}
	}
	clear(l.list[len(out):]) // secrets do not stay behind
	l.list = out
}
