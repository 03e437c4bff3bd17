package config

import (
	"bufio"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// machineMemory is how many bytes this process may hope for: those of the machine, or fewer if a
// control group bounds them. root is the file system from its root on. 0 means that the system does
// not say, as outside Linux.
func machineMemory(root fs.FS) int64 {
	total := memTotal(root)
	if total == 0 {
		return 0
	}
	for name, group := range controlGroups(root) {
		// A limit may stand at any group above. Inside a container the path may be that of the
		// host, of which only the container's part is there to be seen, at the root.
		for ; ; group = path.Dir(group) {
			total = min(total, groupLimit(root, path.Join(name.folder, group, name.file)))
			if group == "/" || group == "." {
				break
			}
		}
	}
	return total
}

// memTotal is the machine's memory in bytes, 0 if unknown.
func memTotal(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) >= 2 && words[0] == "MemTotal:" {
			kilobytes, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil || kilobytes < 0 || kilobytes > math.MaxInt64>>10 {
				return 0
			}
			return kilobytes << 10
		}
	}
	return 0
}

// limitFile is where a version of control groups has its limits of memory.
type limitFile struct{ folder, file string }

// controlGroups finds the groups of this process that may bound its memory: lines "0::/path" are of
// version 2, "4:memory:/path" of version 1.
func controlGroups(root fs.FS) map[limitFile]string {
	f, err := root.Open("proc/self/cgroup")
	if err != nil {
		return nil
	}
	defer f.Close()
	groups := make(map[limitFile]string)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), ":", 3)
		switch {
		case len(fields) < 3:
		case fields[1] == "":
			groups[limitFile{"sys/fs/cgroup", "memory.max"}] = fields[2]
		case contains(fields[1], "memory"):
			groups[limitFile{"sys/fs/cgroup/memory", "memory.limit_in_bytes"}] = fields[2]
		}
	}
	return groups
}

// contains reports whether a word is in a list with commas.
func contains(list, word string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if part == word {
			return true
		}
	}
	return false
}

// groupLimit reads a limit in bytes. "max", what is no number, and a file that is not there are no
// limit.
func groupLimit(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return math.MaxInt64
	}
	return n
}
