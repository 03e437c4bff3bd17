package harness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// StartSubject runs the server under test as a process of its own: the larder binary, or
// redis-server with SUBJECT=redis. It returns when the server has loaded its data.
func StartSubject(t testing.TB, params ...string) *Server {
	t.Helper()
	if !SubjectIsLarder() {
		return StartRedis(t, params...)
	}
	return StartBinary(t, params...)
}

// StartSubjectLoading is StartSubject without the wait for the data: the server listens, and may
// still be loading.
func StartSubjectLoading(t testing.TB, params ...string) *Server {
	t.Helper()
	if SubjectIsLarder() {
		return launchBinary(t, "", params...)
	}
	s := launchRedis(t, params...)
	Eventually(t, startDeadline, "redis listens", func() bool {
		_, err := s.ping()
		return err == nil || !s.Running()
	})
	return s
}

// SubjectIsLarder is false under SUBJECT=redis, when redis-server stands in larder's place: what
// tests ask of larder must hold for it as well, but for the few expectations that are larder's own.
func SubjectIsLarder() bool { return os.Getenv("SUBJECT") != "redis" }

// redisParams drops the parameters that only larder has.
func redisParams(params []string) []string {
	return slices.DeleteFunc(slices.Clone(params), func(p string) bool {
		name, _, _ := strings.Cut(p, " ")
		return name == "network-driver" || name == "rdb-skip-unknown-types"
	})
}

// Kill ends the process as a crash does, by SIGKILL, and waits until it has gone.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.killed = true
	s.kill()
	select {
	case <-s.done:
	case <-t.Context().Done():
		t.Fatalf("%s survives SIGKILL", s.Name)
	}
}

// Restart starts the same program with the same parameters on the same folder; further ones
// override. The process must have gone.
func (s *Server) Restart(t testing.TB, params ...string) *Server {
	t.Helper()
	if s.Running() {
		t.Fatalf("%s still runs", s.Name)
	}
	return s.start(t, slices.Concat(s.params, []string{"dir " + s.Dir}, params)...)
}

// Refusal runs the server under test where it must not start, and returns what it said. It must end
// with exit code 1; larder says why in one line on standard error, redis-server in its log.
func Refusal(t testing.TB, params ...string) string {
	t.Helper()
	all := withDefaults(t, params)
	ctx, cancel := context.WithTimeout(t.Context(), startDeadline)
	defer cancel()
	var cmd *exec.Cmd
	if !SubjectIsLarder() {
		params := append(redisParams(all), "port "+FreePort(t))
		cmd = exec.CommandContext(ctx, Tool(t, "redis-server", InstallRedis), flags(params)...)
	} else {
		cmd = exec.CommandContext(ctx, Binary(t), append(serveArgs(""), flags(append(all, "port 0"))...)...)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v, want exit code 1\n%s%s", err, tail(stdout.String(), logTail), tail(stderr.String(), logTail))
	}
	if !SubjectIsLarder() {
		return stdout.String() + stderr.String()
	}
	said := stderr.String()
	if strings.Count(said, "\n") != 1 || !strings.HasSuffix(said, "\n") || strings.TrimSpace(said) == "" {
		t.Errorf("standard error should be one line:\n%s", said)
	}
	return said
}

// FolderState describes every file below a folder by a hash of its content, and every folder by its
// name: two equal states mean that nothing was touched.
func FolderState(t testing.TB, dir string) map[string]string {
	t.Helper()
	state := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			state[name] = "folder"
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			state[name], err = os.Readlink(path)
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		state[name] = info.Mode().String() + " " + hex.EncodeToString(sum[:])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// CopyFolder copies the files of a folder, so that two servers can load the same ones, and returns
// the copy.
func CopyFolder(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// LoggedCommands is what the incremental files of the server's log hold.
func (s *Server) LoggedCommands(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir, "appendonlydir", "*.incr.aof"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	return all.String()
}

// LimitFiles makes writes past the given size of a file fail in the server's process, as on a full
// disk; negative lifts the limit.
func (s *Server) LimitFiles(t testing.TB, bytes int64) {
	t.Helper()
	if err := limitFiles(s.Pid, bytes); err != nil {
		t.Fatalf("limit the size of files: %v", err)
	}
}

// Terminate sends SIGTERM and returns the exit code.
func (s *Server) Terminate(t testing.TB) int {
	t.Helper()
	s.Signal(t, syscall.SIGTERM)
	return s.Wait(t, startDeadline)
}
