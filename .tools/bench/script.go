package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// statement is one statement with its parameters as Postgres writes them.
type statement struct {
	sql  string
	args []argument
}

type argument struct {
	text   string
	null   bool
	isUUID bool
}

// transaction is the list of statements that are sent in one pipeline. One request needs a list of transactions.
type transaction []statement

// script is a pgbench script and the values that its variables start with.
type script struct {
	text      string
	variables map[string]string
}

const firstTick = "tick" // the variable that has to be higher in every run of pgbench

var placeholder = regexp.MustCompile(`\$[0-9]+`)

// makeScript turns several samples of one call, taken one after the other for the same caller, into a pgbench script of
// the same statements. A parameter that is equal in all samples is constant, or, if own contains its value, a value of
// the client; own maps values to names of columns in the table of clients. A parameter that differs is new each time: a
// UUID is created, in rising order if it has version 7 and at random otherwise; a number that rises evenly continues to
// rise. For everything else (times, fingerprints, the stored response) the value of the first sample is used again.
func makeScript(samples [][]transaction, own map[string]string) (script, error) {
	if len(samples) < 3 {
		return script{}, errors.New("three samples tell a counter from a coincidence")
	}
	w := writer{names: map[string]string{}, own: own, variables: map[string]string{"ready": "0"}}
	var body strings.Builder
	for t, tx := range samples[0] {
		body.WriteString("\\startpipeline\n")
		for s, st := range tx {
			same := make([]statement, len(samples))
			for i, sample := range samples {
				if len(sample) != len(samples[0]) || len(sample[t]) != len(tx) || sample[t][s].sql != st.sql {
					return script{}, errors.New("the samples of a call are not of the same statements")
				}
				same[i] = sample[t][s]
			}
			if relaxes(st) {
				continue
			}
			body.WriteString(w.statement(same))
		}
		body.WriteString("\\endpipeline\n")
	}
	return script{text: w.opening() + body.String(), variables: w.variables}, nil
}

// relaxes reports whether a statement turns synchronous_commit off, so that its commit does not wait for the disk. The
// program does so in the first transaction of a turn. pgbench keeps synchronous_commit on in all of its transactions.
func relaxes(s statement) bool {
	return strings.Contains(s.sql, "set_config('synchronous_commit', 'off'")
}

// writer creates the variables of a script that its statements need.
type writer struct {
	names     map[string]string // expressions by the samples of a parameter, so that an id is the same wherever it stands
	own       map[string]string
	used      map[string]bool
	variables map[string]string
	sets      []string // commands that run before every transaction
	ordered   bool
}

func (w *writer) statement(samples []statement) string {
	var sql strings.Builder
	for line := range strings.Lines(samples[0].sql) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") { // sqlc's name, which pgbench would take for a variable
			sql.WriteString(line)
		}
	}
	text := strings.TrimRight(strings.TrimSpace(sql.String()), ";")
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		n, _ := strconv.Atoi(p[1:])
		args := make([]argument, len(samples))
		for i, s := range samples {
			args[i] = s.args[n-1]
		}
		return w.expression(args)
	}) + ";\n"
}

// expression returns the text that replaces a parameter.
func (w *writer) expression(args []argument) string {
	first := args[0]
	if first.null {
		return "NULL" // pgbench has no variable that is NULL
	}
	if first.text == "" {
		return "''" // nor one that is empty
	}
	var key strings.Builder
	for _, a := range args {
		fmt.Fprintf(&key, "%d %s ", len(a.text), a.text)
	}
	if known, ok := w.names[key.String()]; ok {
		return known
	}
	e := w.newExpression(args)
	w.names[key.String()] = e
	return e
}

func (w *writer) newExpression(args []argument) string {
	name := fmt.Sprintf("v%d", len(w.names)+1)
	first := args[0]
	same := !slices.ContainsFunc(args, func(a argument) bool { return a.text != first.text })
	if column, ok := w.own[first.text]; ok && same {
		if w.used == nil {
			w.used = map[string]bool{}
		}
		w.used[column] = true
		return ":" + column
	}
	if id, err := uuid.Parse(first.text); first.isUUID && !same && err == nil {
		if id.Version() == 7 {
			w.ordered = true
			w.sets = append(w.sets, fmt.Sprintf(`\set %s (:tick * 64 + :client_id) * 16 + %d`, name, len(w.sets)%16))
		} else {
			w.sets = append(w.sets, fmt.Sprintf(`\set %s random(1, 9000000000000000000)`, name))
		}
		return "lpad(:" + name + ", 32, '0')::uuid" // digits are hexadecimal digits too
	}
	if start, step, ok := progression(args); ok {
		w.variables[name] = strconv.FormatInt(start-step, 10)
		w.sets = append(w.sets, fmt.Sprintf(`\set %s :%s + %d`, name, name, step))
		return ":" + name
	}
	w.variables[name] = first.text
	return ":" + name
}

// progression reports whether a parameter is a number that rises evenly.
func progression(args []argument) (start, step int64, ok bool) {
	numbers := make([]int64, len(args))
	for i, a := range args {
		n, err := strconv.ParseInt(a.text, 10, 64)
		if err != nil {
			return 0, 0, false
		}
		numbers[i] = n
	}
	step = numbers[1] - numbers[0]
	for i := 1; i < len(numbers); i++ {
		if numbers[i]-numbers[i-1] != step {
			return 0, 0, false
		}
	}
	return numbers[0], step, step > 0
}

// opening fetches once what a client has for itself, and makes what is fresh in every transaction.
func (w *writer) opening() string {
	var b strings.Builder
	if len(w.used) > 0 {
		columns := strings.Join(slices.Sorted(maps.Keys(w.used)), ", ")
		fmt.Fprintf(&b, "\\if :ready = 0\nSELECT %s FROM bench.clients WHERE run = :run AND client = :client_id \\gset\n"+
			"\\set ready 1\n\\endif\n", columns)
	}
	if w.ordered {
		fmt.Fprintf(&b, "\\set %[1]s :%[1]s + 1\n", firstTick)
	}
	for _, set := range w.sets {
		b.WriteString(set + "\n")
	}
	return b.String()
}
