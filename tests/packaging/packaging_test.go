package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// file is the path of one of the files under test.
func file(t *testing.T, name string) string {
	return filepath.Join(harness.RepoRoot(t), "cmd", "larder", "packaging", name)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// output runs a command that must end well and returns what it printed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = harness.RepoRoot(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// optional is a tool that only some systems have.
func optional(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// started are the arguments after the program's name in a unit or container file.
func started(t *testing.T, text, pattern string) []string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no line %s", pattern)
	}
	return strings.Fields(strings.NewReplacer(`"`, "", ",", " ").Replace(found[1]))
}

// serves starts larder with these arguments, and waits until it serves.
func serves(t *testing.T, args ...string) *harness.Server {
	t.Helper()
	s := harness.Launch(t, harness.Binary(t), args...)
	harness.Eventually(t, harness.Patience, "it serves", func() bool {
		return strings.Contains(s.Log(), "larder serves")
	})
	return s
}

// TestServiceStarts starts larder by the unit's own line and the package's configuration, in other
// places.
func TestServiceStarts(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "larder.conf")
	text := strings.ReplaceAll(read(t, file(t, "larder.conf")), "/var/lib/larder", dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	output(t, harness.Binary(t), "config", "check", "--strict", conf)
	args := started(t, read(t, file(t, "larder.service")), `ExecStart=/usr/bin/larder (.*)`)
	for i := range args {
		if args[i] == "/etc/larder/larder.conf" {
			args[i] = conf
		}
	}
	s := serves(t, append(args, "--port", "0")...)
	if !strings.Contains(s.Log(), "listen=\"127.0.0.1:") && !strings.Contains(s.Log(), "listen=127.0.0.1:") {
		t.Error("it does not listen on the loopback alone")
	}
	reload := started(t, read(t, file(t, "larder.service")), `ExecReload=(.*)`)
	for i := range reload {
		if reload[i] == "$MAINPID" {
			reload[i] = strconv.Itoa(s.Pid)
		}
	}
	output(t, reload[0], reload[1:]...)
	harness.Eventually(t, harness.Patience, "it has read certificates anew", func() bool {
		return strings.Contains(s.Log(), "nothing to read anew: there is no tls-port")
	})
}

// TestContainerStarts likewise.
func TestContainerStarts(t *testing.T) {
	text := read(t, file(t, "Containerfile"))
	args := append(started(t, text, `ENTRYPOINT \["/usr/bin/larder", (.*)\]`), started(t, text, `CMD \[(.*)\]`)...)
	for i := range args {
		if args[i] == "/data" {
			args[i] = t.TempDir()
		}
	}
	serves(t, append(args, "--port", "0", "--bind", "127.0.0.1")...)
}

// TestUnits has systemd judge the unit files, with a program that exists in the place of larder.
func TestUnits(t *testing.T) {
	analyze := optional(t, "systemd-analyze")
	dir := t.TempDir()
	var paths []string
	for _, name := range []string{"larder.service", "larder.socket"} {
		text := strings.ReplaceAll(read(t, file(t, name)), "/usr/bin/larder", harness.Binary(t))
		paths = append(paths, filepath.Join(dir, name))
		if err := os.WriteFile(paths[len(paths)-1], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := output(t, analyze, append([]string{"verify", "--man=no"}, paths...)...); strings.Contains(out, dir) {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
	// The level goes from 0, nothing exposed, to 10; 2.0 fails when a line of the hardening is lost.
	output(t, analyze, "security", "--offline=true", "--threshold=20", paths[0])
}

// TestShellScripts has shellcheck judge what builds the package, and what the package runs.
func TestShellScripts(t *testing.T) {
	shellcheck := harness.Tool(t, "shellcheck", "apt-get install shellcheck")
	scripts := []string{file(t, "deb.sh"), file(t, "copyright.sh")}
	for _, script := range maintainer {
		scripts = append(scripts, file(t, filepath.Join("debian", script)))
	}
	output(t, shellcheck, append([]string{"--severity=style", "--shell=sh"}, scripts...)...)
}

// maintainer are the scripts that dpkg runs.
var maintainer = []string{"postinst", "prerm", "postrm"}

// TestContainerFile has hadolint judge the container file. It is among Python's packages, for such
// machines alone.
func TestContainerFile(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("hadolint is not installed by make tools")
	}
	output(t, harness.PythonTool(t, "hadolint"), "--failure-threshold=style", file(t, "Containerfile"))
}

// TestDebianPackage builds the package and looks into it.
func TestDebianPackage(t *testing.T) {
	deb := optional(t, "dpkg-deb")
	dir := t.TempDir()
	built := strings.TrimSpace(output(t, file(t, "deb.sh"), harness.Binary(t), dir))
	version := strings.Fields(output(t, harness.Binary(t), "version"))[1]
	fields := output(t, deb, "--field", built, "Package", "Version", "Depends")
	if fields != "Package: larder\nVersion: "+version+"\nDepends: adduser\n" {
		t.Errorf("fields:\n%s", fields)
	}
	contents := output(t, deb, "--contents", built)
	for _, want := range []string{
		`-rwxr-xr-x root/root .* \./usr/bin/larder`, `-rw-r----- root/root .* \./etc/larder/larder\.conf`,
		`-rw-r--r-- root/root .* \./lib/systemd/system/larder\.service`, `-rw-r--r-- root/root .* \./lib/systemd/system/larder\.socket`,
		`-rw-r--r-- root/root .* \./usr/share/doc/larder/README\.md`,
	} {
		if !regexp.MustCompile(want).MatchString(contents) {
			t.Errorf("no %s in\n%s", want, contents)
		}
	}
	output(t, deb, "--extract", built, filepath.Join(dir, "root"))
	packaged := filepath.Join(dir, "root", "usr", "bin", "larder")
	if out := output(t, packaged, "version"); !strings.HasPrefix(out, "larder "+version) {
		t.Errorf("the packaged program says %q", out)
	}
	licences := read(t, filepath.Join(dir, "root", "usr", "share", "doc", "larder", "copyright"))
	for _, module := range []string{"github.com/tidwall/redcon", "github.com/coreos/go-systemd", "The Go standard library"} {
		if !strings.Contains(licences, "=== "+module) {
			t.Errorf("no licence of %s", module)
		}
	}
	output(t, deb, "--control", built, filepath.Join(dir, "control"))
	for _, script := range maintainer {
		output(t, "sh", "-n", filepath.Join(dir, "control", script))
	}
}
