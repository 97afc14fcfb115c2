package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// noSignal is the death signal of children so short-lived that they need none.
const noSignal = syscall.Signal(0)

// account is the user that runs the server.
type account struct {
	name     string
	uid, gid int
	drop     bool // this process is root and must become that user
}

// serverAccount is the user of this process or, since Postgres refuses to run
// as root, a lesser one.
func serverAccount() (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{name: strconv.Itoa(uid), uid: uid, gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(found.Uid)
		if err != nil {
			return account{}, fmt.Errorf("user %s has no number: %w", name, err)
		}
		gid, err := strconv.Atoi(found.Gid)
		if err != nil {
			return account{}, fmt.Errorf("group of user %s has no number: %w", name, err)
		}
		return account{name: name, uid: uid, gid: gid, drop: true}, nil
	}
	return account{}, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as: start parley as another user")
}

// attributes make a child run as this user, in a process group of its own (so
// that Ctrl-C in a terminal reaches the parent only) and get the signal death
// when its parent ends. The starter must keep its thread while the child lives.
func (a account) attributes(death syscall.Signal) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a.drop {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	setDeathSignal(attributes, death)
	return attributes
}

// reaches checks whether this user can enter a folder. It asks the kernel rather than reading the mode bits, which do
// not include access lists and mounts.
func (a account) reaches(folder string) error {
	if !a.drop {
		return nil
	}
	cmd := exec.Command("/bin/sh", "-c", ":")
	cmd.Dir = folder
	cmd.Env = childEnvironment()
	cmd.SysProcAttr = a.attributes(noSignal)
	err := cmd.Run()
	if errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("as root parley runs PostgreSQL as the user %s, and that user cannot reach %s: "+
			"choose a DATA_DIR that it can reach, such as /var/lib/parley, or start parley as another user", a.name, folder)
	}
	if err != nil {
		return fmt.Errorf("cannot become the user %s to run PostgreSQL: %w", a.name, err)
	}
	return nil
}
