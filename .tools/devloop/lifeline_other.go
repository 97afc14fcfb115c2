//go:build !linux

package main

import "syscall"

// own gives the server a process group of its own.
func own() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
