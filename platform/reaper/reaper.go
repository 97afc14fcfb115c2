// Package reaper is what a program needs round it to be process 1 of a container. The kernel gives process 1 every
// orphan, whose remains stay until it looks, and sends it no signal that it has not asked for.
//
// The program runs as a child of it, not in it: who waits for "any child" takes the end of a child away from os/exec,
// which waits for it by its number, and here that would be the embedded database.
package reaper

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// timeout is how long what the program has left behind may take to end after it. The embedded database of a program
// that was killed needs some of it to stop in good order.
const timeout = 10 * time.Second

var errNotOne = errors.New("this process is not process 1")

// Run starts the program of these arguments and this environment, on the standard streams of this process. Until it
// ends, Run passes every signal on to it and waits for whatever becomes a child of this process; then it asks all that
// is left to end, and waits for that too. It gives the program's exit code, or 128 and the number of the signal that
// ended it.
//
// It refuses to run in any other process than 1, where "all that is left" would be all that its user runs.
func Run(path string, args, environ []string) (code int, err error) {
	if os.Getpid() != 1 {
		return 0, errNotOne
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals) // all of them, and before there is anybody to lose one
	defer signal.Stop(signals)
	files := []uintptr{os.Stdin.Fd(), os.Stdout.Fd(), os.Stderr.Fd()}
	program, err := syscall.ForkExec(path, args, &syscall.ProcAttr{Env: environ, Files: files})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", path, err)
	}
	ended, alone := make(chan syscall.WaitStatus, 1), make(chan struct{})
	go func() {
		defer close(alone)
		reap(program, ended)
	}()
	for {
		select {
		case s := <-signals:
			pass(s, program)
		case status := <-ended:
			endTheRest(alone)
			return exitCode(status), nil
		}
	}
}

// reap waits for child processes until none is left, and sends the status of the one whose pid is program to ended.
func reap(program int, ended chan<- syscall.WaitStatus) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil: // ECHILD
			return
		case pid == program:
			ended <- status
		}
	}
}

// pass gives a signal on, but for those that are about this process itself.
func pass(s os.Signal, program int) {
	if s == syscall.SIGCHLD || s == syscall.SIGURG { // a child has ended; the Go runtime talks to itself
		return
	}
	if number, ok := s.(syscall.Signal); ok {
		_ = syscall.Kill(program, number) // it may have ended just now
	}
}

func endTheRest(alone <-chan struct{}) {
	_ = syscall.Kill(-1, syscall.SIGTERM) // ESRCH: there is none
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-alone:
	case <-timer.C: // the kernel kills them when we go
	}
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
