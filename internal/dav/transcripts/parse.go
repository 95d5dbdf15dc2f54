package transcripts

import (
	"fmt"
	"strconv"
	"strings"
)

// Transcript is one client's conversation.
type Transcript struct {
	Name  string // of the file
	Agent string // the User-Agent header of every request
	Given []Given
	Steps []Step
}

// Given is what is there at the beginning.
type Given struct {
	Count int
	Kind  string // contacts, events, todos, journals
}

// Step is one request and what its answer must hold, or a change by another device.
type Step struct {
	Title  string
	Line   int    // of the title
	Verb   string // of a change by another device: add, edit, delete; "" for a request
	Count  int    // of such a change
	Kind   string // of what it changes
	Head   string // request line and headers, before variables are filled in
	Body   string
	Status []int
	Checks []Check
}

// Check is one line behind =>.
type Check struct {
	Line int
	Text string // before variables are filled in
}

// Parse reads a transcript.
func Parse(name, text string) (*Transcript, error) {
	p := &parser{t: &Transcript{Name: name}, lines: strings.Split(text, "\n")}
	for p.at < len(p.lines) {
		line := p.next()
		switch word, rest, _ := strings.Cut(line, " "); {
		case line == "" || strings.HasPrefix(line, "#"):
		case word == "agent":
			p.t.Agent = rest
		case word == "given":
			count, kind, _ := strings.Cut(rest, " ")
			p.t.Given = append(p.t.Given, Given{p.number(count), p.kind(kind)})
		case word == "---":
			p.step(rest)
		default:
			p.fail("%q is neither a setting nor a step", line)
		}
		if p.err != nil {
			return nil, p.err
		}
	}
	if len(p.t.Steps) == 0 {
		return nil, fmt.Errorf("%s: there is no step in it", name)
	}
	return p.t, nil
}

type parser struct {
	t     *Transcript
	lines []string
	at    int // of the next line
	err   error
}

func (p *parser) next() string {
	p.at++
	return p.lines[p.at-1]
}

// peek gives the next line without taking it; ok is false at the end and before the next step.
func (p *parser) peek() (string, bool) {
	if p.at >= len(p.lines) || strings.HasPrefix(p.lines[p.at], "--- ") {
		return "", false
	}
	return p.lines[p.at], true
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%s:%d: %s", p.t.Name, p.at, fmt.Sprintf(format, args...))
	}
}

func (p *parser) number(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		p.fail("%q is not a number", s)
	}
	return n
}

// kind reads what other devices make.
func (p *parser) kind(s string) string {
	if _, ok := makes[s]; !ok {
		p.fail("%q is nothing that other devices make", s)
	}
	return s
}

func (p *parser) step(title string) {
	s := Step{Title: title, Line: p.at}
	if f := strings.Fields(title); (len(f) == 3 || len(f) == 4) && f[0] == "meanwhile" {
		s.Verb, s.Count, s.Kind = f[1], p.number(f[2]), "contacts"
		if len(f) == 4 {
			s.Kind = p.kind(f[3])
		} else if len(p.t.Given) > 0 {
			s.Kind = p.t.Given[0].Kind
		}
	} else {
		p.request(&s)
	}
	for line, ok := p.peek(); ok && p.err == nil; line, ok = p.peek() {
		p.next()
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if s.Verb != "" {
			p.fail("a change by another device has no answer to check")
		}
		s.Checks = append(s.Checks, Check{p.at, line})
	}
	p.t.Steps = append(p.t.Steps, s)
}

// request reads up to and with the line =>.
func (p *parser) request(s *Step) {
	part := &s.Head
	for {
		line, ok := p.peek()
		if !ok {
			p.fail("the step %q has no line =>", s.Title)
			return
		}
		p.next()
		if codes, found := strings.CutPrefix(line, "=>"); found {
			for _, c := range strings.Fields(codes) {
				s.Status = append(s.Status, p.number(c))
			}
			break
		}
		if line == "" && part == &s.Head && s.Head != "" {
			part = &s.Body
			continue
		}
		if line != "" || part == &s.Body {
			*part += line + "\n"
		}
	}
	s.Body = strings.TrimRight(s.Body, "\n")
	if s.Body != "" {
		s.Body += "\n"
	}
	if s.Head == "" || len(s.Status) == 0 {
		p.fail("the step %q needs a request line, and a status behind =>", s.Title)
	}
}
