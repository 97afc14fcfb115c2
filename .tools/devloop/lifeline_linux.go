package main

import "syscall"

// own starts the server in a process group of its own, and makes the kernel stop it if this loop is killed.
func own() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
