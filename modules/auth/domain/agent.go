package domain

import (
	"regexp"
	"strings"
	"time"
)

// Agent is what a client says it is, in plain words. Nothing proves it: a client names itself. Both fields are made of
// letters, digits and ". _ -" and are short, so that they can be shown and written in emails.
type Agent struct {
	Program string // such as Firefox; "" where it is not known
	System  string // such as Linux; "" where it is not known
}

const agentLength = 512 // bytes of a User-Agent that are read

// product matches the first product of a User-Agent (RFC 9110, 10.1.5).
var product = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9._-]{0,39})(?:[/ ]|$)`)

// marks are parts of a User-Agent, each with what it stands for. The first that is found counts: browsers name those
// that they are like as well.
type marks [][2]string

func browsers() marks {
	return marks{
		{"YaBrowser/", "Yandex"}, {"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"OPT/", "Opera"}, {"Vivaldi/", "Vivaldi"},
		{"SamsungBrowser/", "Samsung-Internet"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chrome"},
		{"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	}
}

func systems() marks {
	return marks{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Macintosh", "macOS"},
		{"Mac OS X", "macOS"}, {"Darwin", "macOS"}, {"Linux", "Linux"}, {"FreeBSD", "FreeBSD"}, {"X11", "Unix"},
	}
}

func (m marks) in(text string) string {
	for _, mark := range m {
		if strings.Contains(text, mark[0]) {
			return mark[1]
		}
	}
	return ""
}

// Agent reads the beginning of the User-Agent of the client.
func (c Client) Agent() Agent {
	text := c.UserAgent
	if len(text) > agentLength {
		text = text[:agentLength]
	}
	a := Agent{Program: browsers().in(text), System: systems().in(text)}
	if found := product.FindStringSubmatch(text); a.Program == "" && found != nil && found[1] != "Mozilla" {
		a.Program = found[1]
	}
	return a
}

// String returns the words for a list, such as "Firefox on Linux"; "" where nothing is known.
func (a Agent) String() string {
	if a.Program != "" && a.System != "" {
		return a.Program + " on " + a.System
	}
	return a.Program + a.System
}

// Network returns the network of the client, which says roughly where it is: its /24 for IPv4, its /48 for IPv6. It
// returns "" where the address is not known.
func (c Client) Network() string { return prefix(c.IP.Unmap(), 48) }

// KnownDevice is a device on which a user has signed in.
type KnownDevice struct {
	Device, Network     string // as Agent.String and Client.Network give them
	FirstSeen, LastSeen time.Time
}
