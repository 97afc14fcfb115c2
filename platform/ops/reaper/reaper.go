// Package reaper runs a program under process 1 of a container. The kernel makes process 1 the parent of every orphaned
// process, which stays a zombie until process 1 waits for it. It sends process 1 only signals that it handles.
//
// The program runs as a child of process 1 and not in it. Waiting for "any child" would take the exit status of a child
// from os/exec, which waits for the child by its pid. Here that child would be the embedded database.
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
// ends, Run forwards every signal to it and waits for all children of this process. Then it sends SIGTERM to all
// remaining processes, and waits for them too. It returns the exit code of the program, or 128 plus the number of the
// signal that ended it.
//
// It refuses to run in a process other than 1, where "all remaining processes" would be all processes of the user.
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

// pass forwards a signal to the program, except signals that concern this process itself.
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
