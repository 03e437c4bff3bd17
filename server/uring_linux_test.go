package server

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// refuse has the kernel refuse a system call to the calling thread, as the sandbox of a container does.
func refuse(t *testing.T, call uint32) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Skip("cannot begin a sandbox: ", err)
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		t.Skip("cannot make a sandbox: ", err)
	}
}

// sandboxed runs a test on a thread that may not make a system call, and that ends with it.
func sandboxed(t *testing.T, call uint32, test func(t *testing.T)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		refuse(t, call)
		test(t)
	}()
	<-done
}

// TestWithoutURing: where the system refuses io_uring, or refuses it as soon as it is used, the server
// does without, and says so once, unless it is asked for by name.
func TestWithoutURing(t *testing.T) {
	for name, call := range map[string]uint32{"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER} {
		t.Run(name, func(t *testing.T) {
			cfg := load(t, "--network-driver", "auto", "--io-threads", "2")
			named := load(t, "--network-driver", "io_uring")
			var log bytes.Buffer
			sandboxed(t, call, func(t *testing.T) {
				if s, err := Open(named, quiet); err == nil || !strings.Contains(err.Error(), name+": operation not permitted") {
					t.Errorf("network-driver io_uring: %v", err)
					if err == nil {
						_ = s.Close()
					}
				}
				s, err := Open(cfg, slog.New(slog.NewTextHandler(&log, nil)))
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			if n := strings.Count(log.String(), "sending without io_uring"); n != 1 && !t.Skipped() {
				t.Errorf("it says so %d times:\n%s", n, log.String())
			}
		})
	}
}

// TestURingIsRefusedLater: event loops that are started when the system has come to refuse io_uring do
// without it as well.
func TestURingIsRefusedLater(t *testing.T) {
	var log bytes.Buffer
	s, err := Open(load(t, "--network-driver", "auto", "--io-threads", "1"), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	sandboxed(t, unix.SYS_IO_URING_SETUP, func(t *testing.T) {
		if err := s.net.SetLoops(3); err != nil {
			t.Error(err)
		}
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "sending without io_uring"); n != 1 && !t.Skipped() {
		t.Errorf("it says so %d times:\n%s", n, log.String())
	}
}
