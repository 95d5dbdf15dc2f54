package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// units of octets, as the file and the environment write them.
var units = []struct {
	suffix string
	factor int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1}}

// parseOctets reads "10MiB", "5 GB" or "4096".
func parseOctets(s string) (int64, error) {
	s = strings.TrimSpace(s)
	for _, u := range units {
		num, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(num), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.factor {
			break
		}
		return n * u.factor, nil
	}
	return 0, fmt.Errorf("%q is not a size like 10MiB or 4096", s)
}

func formatOctets(n int64) string {
	for _, u := range units[:3] {
		if n != 0 && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// parsePrefix reads a CIDR, or one address.
func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address range like 10.0.0.0/8", s)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// set stores a value as a flag, the environment or the file gives it.
func (k Key) set(v any) error {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, x := range list {
			parts[i] = fmt.Sprint(x)
		}
		return k.setList(parts)
	}
	if list, ok := v.([]string); ok {
		return k.setList(list)
	}
	s := strings.TrimSpace(fmt.Sprint(v))
	switch k.Value.(type) {
	case *[]string, *[]netip.Prefix:
		return k.setList(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }))
	}
	return k.setText(s)
}

func (k Key) setList(list []string) error {
	switch p := k.Value.(type) {
	case *[]string:
		*p = append((*p)[:0], list...)
	case *[]netip.Prefix:
		*p = (*p)[:0]
		for _, s := range list {
			x, err := parsePrefix(s)
			if err != nil {
				return err
			}
			*p = append(*p, x)
		}
	default:
		return fmt.Errorf("takes one value, not a list")
	}
	return nil
}

func (k Key) setText(s string) (err error) {
	switch p := k.Value.(type) {
	case *string:
		*p = s
	case *bool:
		if *p, err = strconv.ParseBool(s); err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
	case *int:
		if *p, err = strconv.Atoi(s); err != nil || *p < 0 {
			return fmt.Errorf("%q is not a whole number", s)
		}
	case *int64:
		*p, err = parseOctets(s)
	case *time.Duration:
		if *p, err = time.ParseDuration(s); err != nil || *p < 0 {
			return fmt.Errorf("%q is not a duration like 30s, 5m or 12h", s)
		}
	default:
		return fmt.Errorf("a value of type %T is not known", k.Value)
	}
	return err
}

// Text returns the value as the environment would write it. Secrets are masked.
func (k Key) Text() string {
	switch p := k.Value.(type) {
	case *string:
		if k.Secret && *p != "" {
			return "********"
		}
		return *p
	case *bool:
		return strconv.FormatBool(*p)
	case *int:
		return strconv.Itoa(*p)
	case *int64:
		return formatOctets(*p)
	case *time.Duration:
		return shortDuration(*p)
	case *[]string:
		return strings.Join(*p, ",")
	case *[]netip.Prefix:
		return strings.Join(prefixTexts(*p), ",")
	}
	return ""
}

// TOML returns the value as the file would write it. Secrets are masked.
func (k Key) TOML() string {
	quoted := func(list []string) string {
		for i := range list {
			list[i] = strconv.Quote(list[i])
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	switch p := k.Value.(type) {
	case *bool, *int:
		return k.Text()
	case *[]string:
		return quoted(append([]string(nil), *p...))
	case *[]netip.Prefix:
		return quoted(prefixTexts(*p))
	}
	return strconv.Quote(k.Text())
}

// JSON returns the value as JSON encodes it: durations as text, sizes as octets. Secrets are masked.
func (k Key) JSON() any {
	switch p := k.Value.(type) {
	case *bool:
		return *p
	case *int:
		return *p
	case *int64:
		return *p
	case *[]string:
		return append([]string{}, *p...)
	case *[]netip.Prefix:
		return prefixTexts(*p)
	}
	return k.Text()
}

func prefixTexts(ps []netip.Prefix) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
	}
	return out
}

// shortDuration writes 5m rather than 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
