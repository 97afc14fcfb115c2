package embedded

import "syscall"

// setDeathSignal makes the kernel send sig to the child when the thread that
// started it ends: the starter must keep its thread until the child is gone.
func setDeathSignal(attributes *syscall.SysProcAttr, sig syscall.Signal) {
	attributes.Pdeathsig = sig
}
