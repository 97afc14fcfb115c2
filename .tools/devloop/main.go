// Devloop is the development loop of `make dev`: it builds and runs the server. When the sources
// change it builds again and restarts the server. A build that fails, or that results in the same
// binary, leaves the running server alone.
//
// It is written here because the kept tools that were tried do not stop a server which has a
// database of its own: air 1.67 interrupts the whole process tree, the Postgres under the server
// included, twice, and starts the next server after 5 s whether or not the last one is gone; modd
// 0.8 stops with SIGKILL; reflex 0.3 (2021) stops before it builds. This loop asks only the server to
// stop, once, and continues when the server has ended.
//
// It reads the file of -env, lines of NAME=value, for the server; what is in the environment already wins. A server that ends with
// exit code 2, as it does for a wrong setting, ends the loop with the same code: no change of the sources would help.
//
//	devloop -bin bin/parley -watch cmd,modules,platform,db,api -build "make build" -env .env -- serve
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/joho/godotenv"
)

const (
	interval = 400 * time.Millisecond // between two looks at the sources
	timeout  = 20 * time.Second       // for a clean stop; then SIGKILL
)

// exitUsage is the exit code of a server that was started wrongly.
const exitUsage = 2

var errWrongSetting = errors.New("the server does not start with these settings: correct what it says above, in .env or the environment")

func main() {
	bin := flag.String("bin", "bin/parley", "the program that -build makes")
	watch := flag.String("watch", ".", "files and folders to watch, comma separated")
	build := flag.String("build", "make build", "the command that builds, split at spaces")
	env := flag.String("env", "", "a file of variables for the server; it need not exist")
	flag.Parse()
	if *env != "" {
		if err := godotenv.Load(*env); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(os.Stderr, "dev: %s: %v\n", *env, err)
			os.Exit(exitUsage)
		}
	}
	runtime.LockOSThread() // the kernel's word at the death of a parent is about its thread

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	l := &loop{bin: *bin, build: strings.Fields(*build), args: flag.Args(), watch: strings.Split(*watch, ","), signals: signals}
	if err := l.run(); err != nil {
		fmt.Fprintln(os.Stderr, "dev:", err)
		if errors.Is(err, errWrongSetting) {
			os.Exit(exitUsage)
		}
		os.Exit(1)
	}
}

type loop struct {
	bin     string
	build   []string
	args    []string
	watch   []string
	signals chan os.Signal
	server  *server
}

// server is the running program; done is closed when it is gone.
type server struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// run goes round until a signal. It returns when the server is gone.
func (l *loop) run() error {
	built := "" // the sources of the last build, the failed ones too
	for {
		now := l.sources()
		if now != built && now == l.settled(now) {
			built = now
			if stop, err := l.rebuild(); stop || err != nil {
				return err
			}
		}
		select {
		case <-l.signals:
			l.stop()
			return nil
		case <-l.serverDone():
			if l.server.cmd.ProcessState.ExitCode() == exitUsage {
				return errWrongSetting
			}
			say("the server has stopped (%s); it starts again on the next change, Ctrl-C ends", l.server.cmd.ProcessState)
			l.server = nil
		case <-time.After(interval):
		}
	}
}

// settled checks the sources again a little later, so that an editor or a checkout has finished before a build.
func (l *loop) settled(first string) string {
	if l.server == nil {
		return first
	}
	time.Sleep(interval / 4)
	return l.sources()
}

// rebuild builds the program, and restarts the server if the program has changed or none is running. It returns true if
// a signal arrived meanwhile and everything is stopped.
func (l *loop) rebuild() (bool, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	before, started := l.digest(), time.Now()
	if l.server == nil {
		before = ""
	} else {
		say("building")
	}

	failed := make(chan error, 1)
	go func() { failed <- l.make(ctx) }()
	var err error
	select {
	case <-l.signals:
		cancel()
		<-failed
		l.stop()
		return true, nil
	case err = <-failed:
	}
	switch {
	case err != nil && l.server != nil:
		say("the build failed; the server goes on with the last good one")
		return false, nil
	case err != nil:
		say("the build failed; fix and save")
		return false, nil
	case before != "" && before == l.digest():
		say("the same program: not restarted (was it a query or the contract? make generate)")
		return false, nil
	}
	if l.server != nil {
		say("built in %s, restarting", time.Since(started).Round(10*time.Millisecond))
	}
	l.stop()
	return false, l.start()
}

// make runs the build in a process group of its own, so that all of it ends when ctx does.
func (l *loop) make(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, l.build[0], l.build[1:]...) // #nosec G204 -- named by the Makefile
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = timeout
	return cmd.Run()
}

// start runs the program in a process group of its own. A Ctrl-C in the terminal therefore reaches only this loop,
// which then asks the server to stop once.
func (l *loop) start() error {
	cmd := exec.Command(l.bin, l.args...) // #nosec G204 -- named by the Makefile
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = own()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", l.bin, err)
	}
	l.server = &server{cmd: cmd, done: make(chan struct{})}
	go func(s *server) {
		_ = s.cmd.Wait() // ProcessState has the result
		close(s.done)
	}(l.server)
	return nil
}

// stop asks the server to stop and waits until it has ended. A second signal, or timeout, kills it.
func (l *loop) stop() {
	if l.server == nil {
		return
	}
	s := l.server
	l.server = nil
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // an error means that it is gone
	select {
	case <-s.done:
		return
	case <-l.signals:
	case <-time.After(timeout):
		say("the server did not stop in %s: killed", timeout)
	}
	_ = s.cmd.Process.Kill()
	<-s.done
}

func (l *loop) serverDone() <-chan struct{} {
	if l.server == nil {
		return nil
	}
	return l.server.done
}

func (l *loop) digest() string {
	b, err := os.ReadFile(l.bin)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// sources is a fingerprint of names, sizes and times of everything a build is made from.
func (l *loop) sources() string {
	h := sha256.New()
	for _, root := range l.watch {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil { // gone meanwhile
				return nil //nolint:nilerr // the next look sees it
			}
			name := d.Name()
			if d.IsDir() {
				if name == "testdata" || len(name) > 1 && name[0] == '.' {
					return fs.SkipDir
				}
				return nil
			}
			if skipped(name) {
				return nil
			}
			if info, err := d.Info(); err == nil {
				fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// skipped reports whether a file is not used by any build: a test, a Markdown page, or a file left by an editor.
func skipped(name string) bool {
	for _, end := range []string{"_test.go", ".md", "~", ".swp", ".swx", ".tmp", ".orig"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || name == "4913"
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "dev: "+format+"\n", args...) }
