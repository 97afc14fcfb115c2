package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// isDSN reports whether a text is empty or has the parts of a Sentry DSN.
func isDSN(s string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && isURL(s, "http", "https") && u.User.Username() != "" && u.Host != "" && len(u.Path) > 1
}

// isSecret reports whether a text is empty or is valid as one half of a key pair.
func isSecret(s string, least int) bool {
	return s == "" || len(s) >= least && isKey(s)
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

func allOrigins(origins []string) bool {
	for _, o := range origins {
		if o != "*" && (o == "" || !isServer(o) || strings.HasSuffix(o, "/")) {
			return false
		}
	}
	return true
}

func prefixes(texts []string) (out []netip.Prefix, err error) {
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil {
			addr, err := netip.ParseAddr(t)
			if err != nil {
				return nil, err
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}

var (
	plainName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	endsInPort = regexp.MustCompile(`:\d+$`)
)

func within(d, least, most time.Duration) bool { return d >= least && d <= most }

// postgresSetting matches exactly one setting of Postgres, without characters that could end it.
var postgresSetting = regexp.MustCompile(`^[a-z_.]+=[A-Za-z0-9_.%/-]+$`)

func isPostgres(s string) bool { return isURL(s, "postgres", "postgresql") }

func isRedis(s string) bool { return isURL(s, "redis", "rediss", "unix") }

// isMailServer reports whether a text is empty or smtp(s)://user:password@host:port. Only the host is required.
func isMailServer(s string) bool {
	u, err := url.Parse(s)
	if s == "" || err != nil {
		return s == ""
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "1"), 10, 16)
	return err == nil && port > 0 && isURL(s, "smtp", "smtps") && u.Hostname() != "" && (u.Path == "" || u.Path == "/") && u.RawQuery == ""
}

// isURL reports whether a text is empty or a URL of one of these schemes.
func isURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && slices.Contains(schemes, u.Scheme)
}

// isServer reports whether a text is empty or exactly http(s)://host[:port].
func isServer(s string) bool {
	u, err := url.Parse(s)
	if s == "" || err != nil {
		return s == ""
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), "1"), 10, 16)
	return err == nil && port > 0 && isURL(s, "http", "https") && u.Hostname() != "" &&
		strings.TrimSuffix(s, "/") == u.Scheme+"://"+u.Host
}

// isKey reports whether a text can be sent as the value of an HTTP header.
func isKey(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// StatedURL returns PUBLIC_URL as it was set, "" where it was not: for addresses that are better relative than wrong.
func (c *Config) StatedURL() string { return c.statedURL }
