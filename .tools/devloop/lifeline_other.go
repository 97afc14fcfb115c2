//go:build !linux

package main

import "syscall"

// own starts the server in a process group of its own.
func own() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
