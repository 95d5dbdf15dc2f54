package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is a client that devices behave like.
type Kind string

// The clients whose rules are known.
const (
	DAVx5               Kind = "davx5"
	ThunderbirdCalendar Kind = "thunderbird-calendar"
	ThunderbirdContacts Kind = "thunderbird-contacts"
	Evolution           Kind = "evolution"
	Vdirsyncer          Kind = "vdirsyncer"
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{DAVx5, ThunderbirdCalendar, ThunderbirdContacts, Evolution, Vdirsyncer}
}

// Count is how many devices of a kind there are.
type Count struct {
	Kind Kind `json:"kind"`
	N    int  `json:"n"`
}

// ParseCounts reads KIND=N,… as a command line has it.
func ParseCounts(s string) ([]Count, error) {
	var list []Count
	for part := range strings.SplitSeq(s, ",") {
		kind, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(number)
		switch {
		case !ok || err != nil || n < 1:
			return nil, fmt.Errorf("%q is not KIND=N, as in %s=3", part, DAVx5)
		case !slices.Contains(Kinds(), Kind(kind)):
			return nil, fmt.Errorf("no rules are known of the client %q; known are %v", kind, Kinds())
		case slices.ContainsFunc(list, func(c Count) bool { return c.Kind == Kind(kind) }):
			return nil, fmt.Errorf("%s stands there twice", kind)
		}
		list = append(list, Count{Kind(kind), n})
	}
	return list, nil
}

// deal gives the kinds in turns until all are given, so that a person whose devices follow one another has different ones.
func deal(counts []Count) []Kind {
	left := slices.Clone(counts)
	var list []Kind
	for more := true; more; {
		more = false
		for i := range left {
			if left[i].N > 0 {
				left[i].N--
				list, more = append(list, left[i].Kind), true
			}
		}
	}
	return list
}

// habits are what a kind does apart from the steps of a sync.
type habits struct {
	agent            string
	contacts, events bool          // what it syncs
	every            time.Duration // how often it looks by itself
	push             bool          // an edit begins a sync at once
	discovers        bool          // it looks at the list of collections again, each day
	sync             func(*Device, *session, *Collection) error
}

// habitsOf gives the habits of a kind; the times are those that the clients have when nobody changes them, and for vdirsyncer a usual line of cron.
func habitsOf(k Kind) habits {
	switch k {
	case DAVx5:
		return habits{"DAVx5/4.4.8-ose (dav4jvm; okhttp/4.12.0) Android/14", true, true, 4 * time.Hour, true, true, (*Device).syncDAVx5}
	case ThunderbirdCalendar:
		return habits{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.0", false, true, 30 * time.Minute, true, false, (*Device).syncTBCalendar}
	case ThunderbirdContacts:
		return habits{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.3.0", true, false, 30 * time.Minute, true, false, (*Device).syncTBContacts}
	case Evolution:
		return habits{"Evolution/3.50.3", true, true, 30 * time.Minute, true, true, (*Device).syncEvolution}
	case Vdirsyncer:
		return habits{"vdirsyncer/0.19.3", true, true, 15 * time.Minute, false, false, (*Device).syncVdirsyncer}
	}
	return habits{}
}
