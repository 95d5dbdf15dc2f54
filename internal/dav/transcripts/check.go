package transcripts

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// check tells what an answer lacks of what one line asks for.
func (r *replay) check(a *answer, line string) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch rest = strings.TrimSpace(rest); verb {
	case "header":
		name, pattern, ok := strings.Cut(rest, " ~ ")
		if !ok {
			return fmt.Errorf("%q has no ~", line)
		}
		return match(strings.Join(a.header.Values(name), ", "), pattern)
	case "prop", "noprop":
		return a.checkProp(verb == "prop", rest)
	case "status":
		return a.checkStatus(rest)
	case "absent":
		if a.response(rest) != nil {
			return fmt.Errorf("there is a response for %s", rest)
		}
		return nil
	case "members":
		if n := len(a.members()); strconv.Itoa(n) != rest {
			return fmt.Errorf("there are %d members", n)
		}
		return nil
	case "verbatim":
		return r.checkVerbatim(a, rest)
	case "body":
		return r.checkBody(a, rest)
	case "let":
		return r.take(a, rest)
	case "find":
		return r.find(a, rest)
	case "hrefs":
		var list []string
		for _, m := range a.members() {
			list = append(list, hrefOf(m))
		}
		r.vars[rest] = list
		return nil
	}
	return fmt.Errorf("%q is not a question", verb)
}

func match(text, pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	if !re.MatchString(text) {
		return fmt.Errorf("%q does not match", short(text))
	}
	return nil
}

// checkProp answers "HREF PATH", "HREF PATH = TEXT", "HREF PATH != TEXT", "HREF PATH ~ REGEXP".
func (a *answer) checkProp(wanted bool, rest string) error {
	f := strings.SplitN(rest, " ", 4)
	if len(f) < 2 || len(f) == 3 || len(f) == 4 && (!wanted || f[2] != "=" && f[2] != "!=" && f[2] != "~") {
		return fmt.Errorf("%q is not HREF PATH, perhaps with = or != or ~", rest)
	}
	found, err := a.prop(f[0], f[1])
	switch {
	case err != nil:
		return err
	case wanted && len(found) == 0:
		return fmt.Errorf("%s has no %s", f[0], f[1])
	case !wanted && len(found) > 0:
		return fmt.Errorf("%s has %s", f[0], f[1])
	case len(f) == 2:
		return nil
	}
	text := strings.TrimSpace(found[0].text)
	if f[2] == "~" {
		return match(text, f[3])
	}
	if (text == f[3]) != (f[2] == "=") {
		return fmt.Errorf("%s is %q", f[1], short(text))
	}
	return nil
}

func (a *answer) checkStatus(rest string) error {
	href, code, _ := strings.Cut(rest, " ")
	r := a.response(href)
	if r == nil {
		return fmt.Errorf("there is no response for %s", href)
	}
	st := r.first("D:status")
	if st == nil || !strings.HasPrefix(strings.TrimSpace(st.text), "HTTP/1.1 "+code+" ") {
		return fmt.Errorf("the response for %s has no status %s of its own", href, code)
	}
	return nil
}

func (r *replay) checkVerbatim(a *answer, href string) error {
	data := "CR:address-data"
	if strings.HasSuffix(href, ".ics") {
		data = "C:calendar-data"
	}
	found, err := a.prop(href, data)
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("%s has %d times %s", href, len(found), data)
	}
	return same(found[0].text, r.put[href])
}

func (r *replay) checkBody(a *answer, rest string) error {
	if rest == "is put" {
		return same(string(a.body), r.put[a.target])
	}
	pattern, ok := strings.CutPrefix(rest, "~ ")
	if !ok {
		return fmt.Errorf("%q is neither ~ REGEXP nor is put", rest)
	}
	return match(string(a.body), pattern)
}

func same(got, put string) error {
	if put == "" {
		return fmt.Errorf("nothing was put there")
	}
	if got != put {
		return fmt.Errorf("it is %q, what was put is %q", short(got), short(put))
	}
	return nil
}

// take answers "NAME = sync-token", "NAME = header NAME", "NAME = HREF PATH".
func (r *replay) take(a *answer, rest string) error {
	name, from, ok := strings.Cut(rest, " = ")
	where, what, _ := strings.Cut(from, " ")
	if !ok {
		return fmt.Errorf("%q has no =", rest)
	}
	text := ""
	switch {
	case from == "sync-token":
		if a.root != nil {
			if n := a.root.first("D:sync-token"); n != nil {
				text = strings.TrimSpace(n.text)
			}
		}
	case where == "header":
		text = a.header.Get(what)
	default:
		found, err := a.prop(where, what)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			text = strings.TrimSpace(found[0].text)
		}
	}
	if text == "" {
		return fmt.Errorf("there is no %s to take", from)
	}
	r.vars[name] = text
	return nil
}

// find answers "NAME = PATH": it takes the href of the first member that has PATH.
func (r *replay) find(a *answer, rest string) error {
	name, path, ok := strings.Cut(rest, " = ")
	if !ok {
		return fmt.Errorf("%q has no =", rest)
	}
	for _, m := range a.members() {
		if found, err := a.prop(hrefOf(m), path); err != nil {
			return err
		} else if len(found) > 0 {
			r.vars[name] = hrefOf(m)
			return nil
		}
	}
	return fmt.Errorf("no member has %s", path)
}

func short(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}
