package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is the processor time of the client, of the program, and of all processes of its Postgres.
type usage struct{ client, program, postgres time.Duration }

func (u usage) minus(v usage) usage {
	return usage{u.client - v.client, u.program - v.program, u.postgres - v.postgres}
}

func (u usage) plus(v usage) usage {
	return usage{u.client + v.client, u.program + v.program, u.postgres + v.postgres}
}

// meter reads processor times from /proc. Where there is none (not Linux), they are zero.
type meter struct{ program, postmaster int }

// read returns the processor time that the client, the program and Postgres have used so far.
func (m meter) read(client int) usage {
	u := usage{client: processTime(client), program: processTime(m.program)}
	u.postgres = family(m.postmaster)
	return u
}

const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux

func processTime(pid int) time.Duration {
	own, _, _ := stat(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return own
}

// family sums a process, its living children, and those that it has outlived.
func family(parent int) time.Duration {
	own, outlived, _ := stat(filepath.Join("/proc", strconv.Itoa(parent), "stat"))
	sum := own + outlived
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		if time, _, of := stat(file); of == parent {
			sum += time
		}
	}
	return sum
}

// stat reads proc_pid_stat(5): fields 14 to 17 are times in ticks, field 4 the parent.
func stat(file string) (own, children time.Duration, parent int) {
	text, err := os.ReadFile(file)
	if err != nil { // it has ended
		return 0, 0, 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // the name before may hold anything
	if len(fields) < 15 {
		return 0, 0, 0
	}
	number := func(field int) int {
		n, _ := strconv.Atoi(fields[field-3])
		return n
	}
	return time.Duration(number(14)+number(15)) * tick, time.Duration(number(16)+number(17)) * tick, number(4)
}
