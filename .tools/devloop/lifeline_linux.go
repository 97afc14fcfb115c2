package main

import "syscall"

// own gives the server a process group of its own, and the kernel's word to stop it if this loop is killed.
func own() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
