//go:build !linux

package embedded

import "syscall"

// setDeathSignal does nothing where the kernel has no such signal: a child
// whose parent was killed lives on until the next Start ends it.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
