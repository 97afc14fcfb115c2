package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// settings are the flags.
type settings struct {
	clients         []int
	calls           []hotCall
	rounds, seconds int
	jobs            int
	fill            int
	auth            bool
	dir             string
	scripts         bool
	profiles        string
}

func parse(args []string, stderr io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "one round of one second at 1 and 8 clients: about 30 s")
	clients := flags.String("clients", "1,8,32", "numbers of clients, at most 64 each")
	calls := flags.String("calls", "turn,bot,page", "which calls; none for jobs alone")
	flags.IntVar(&s.rounds, "rounds", 3, "rounds of each call and number of clients")
	flags.IntVar(&s.seconds, "seconds", 2, "length of one side's round, after its warming up")
	flags.IntVar(&s.jobs, "jobs", 20_000, "jobs that are queued and worked off, ours and river's; 0: none")
	flags.IntVar(&s.fill, "fill", 0, "messages of old data, such as 10_000_000, that the database is filled with before the measuring; "+
		"our side is measured before that too, and what a call costs more is told; 0: none")
	flags.BoolVar(&s.auth, "auth", false, "measure who-am-I, refresh and log-in too, and log-in against the bare hash of its password, "+
		"at 8 clients if -clients names that, else at the first it names")
	flags.StringVar(&s.dir, "dir", "", "folder for the temporary data, on the disk that is meant (default the system's)")
	flags.StringVar(&s.profiles, "profiles", "", "folder for CPU and allocation profiles of each call, taken after the measuring; empty: none")
	flags.BoolVar(&s.scripts, "scripts", false, "print the pgbench scripts and measure nothing")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if *quick {
		*clients, s.rounds, s.seconds = "1,8", 1, 1
	}
	for text := range strings.SplitSeq(*clients, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 64 {
			return s, fmt.Errorf("-clients: %q should be a number from 1 to 64", text)
		}
		s.clients = append(s.clients, n)
	}
	for name := range strings.SplitSeq(*calls, ",") {
		if *calls == "none" {
			break
		}
		i := slices.IndexFunc(hotCalls(), func(c hotCall) bool { return c.name == name })
		if i < 0 {
			return s, fmt.Errorf("-calls: %q is none of turn, bot, page", name)
		}
		s.calls = append(s.calls, hotCalls()[i])
	}
	if s.rounds < 1 || s.seconds < 1 || s.jobs < 0 || s.fill < 0 || flags.NArg() > 0 {
		return s, errors.New("-rounds and -seconds should be 1 or more, -jobs and -fill 0 or more, and nothing else is understood")
	}
	return s, nil
}
