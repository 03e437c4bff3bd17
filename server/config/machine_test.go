package config

import (
	"testing"
	"testing/fstest"
)

func TestMachineMemory(t *testing.T) {
	const meminfo = "MemFree: 5 kB\nMemTotal:       4000 kB\nBuffers: 3 kB\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing is known":            {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000"}, 0},
		"no number":                   {map[string]string{"proc/meminfo": "MemTotal: many kB\n"}, 0},
		"no groups":                   {map[string]string{"proc/meminfo": meminfo}, 4000 << 10},
		"version 2 without a limit":   {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, 4000 << 10},
		"version 2":                   {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000\n"}, 1000},
		"version 2, the group above":  {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000\n", "sys/fs/cgroup/a/memory.max": "900\n"}, 900},
		"version 2, in a container":   {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "800\n"}, 800},
		"the host's path":             {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../host/x\n", "sys/fs/cgroup/memory.max": "800\n"}, 800},
		"version 1":                   {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,memory:/a\n1:name=systemd:/b\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "700"}, 700},
		"version 1 without a limit":   {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 4000 << 10},
		"more than the machine has":   {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999999\n"}, 4000 << 10},
		"lines that are none of ours": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "\nx\n3:memory_x:/a\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1"}, 4000 << 10},
	} {
		root := fstest.MapFS{}
		for file, text := range test.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := machineMemory(root); got != test.want {
			t.Errorf("%s: %d bytes, want %d", name, got, test.want)
		}
	}
}

// TestMaxMemoryPercent: the share is what stays written, bytes are what clients see.
func TestMaxMemoryPercent(t *testing.T) {
	c := fresh(t)
	c.machine = func() int64 { return 1001 << 20 }
	set := func(want string, pairs ...string) {
		t.Helper()
		if got := errorText(c.Set(settings(pairs...), false)); got != want {
			t.Errorf("CONFIG SET %q: %q, want %q", pairs, got, want)
		}
	}
	const failed = "CONFIG SET failed (possibly related to argument 'maxmemory') - "
	set("", "maxmemory", "50%", "maxmemory-clients", "10%")
	if got := get(t, c, "maxmemory"); got != "524812288" || c.Values().MaxMemory != 1001<<19 {
		t.Errorf("CONFIG GET says %s, and %d is in force", got, c.Values().MaxMemory)
	}
	if got := get(t, c, "maxmemory-clients"); got != "10%" || c.Values().ClientsLimit() != 52481228 {
		t.Errorf("CONFIG GET says %s, and %d is in force", got, c.Values().ClientsLimit())
	}
	set("", "maxmemory-clients", "0%")
	if got := get(t, c, "maxmemory-clients"); got != "0" || c.Values().ClientsLimit() != 0 {
		t.Errorf("CONFIG GET says %s, and %d is in force", got, c.Values().ClientsLimit())
	}
	set("", "maxmemory-clients", "10%")
	set(failed+"percentage argument must be less or equal to 100", "maxmemory", "101%")
	set(failed+"argument must be a memory value", "maxmemory", "0%")
	set(failed+"argument must be a memory value", "maxmemory", "-5%")
	set(failed+"argument must be a memory value", "maxmemory", "x%")
	c.file = write(t, "redis.conf", "maxmemory 1gb\nmaxmemory-clients 5\n")
	if err := c.Rewrite(); err != nil {
		t.Fatal(err)
	}
	again, err := Load(c.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := again.Values(); v.texts[again.mustFind("maxmemory")] != "50%" || v.MaxMemoryClients != -10 {
		t.Errorf("a rewritten file loads as maxmemory %d, maxmemory-clients %d", v.MaxMemory, v.MaxMemoryClients)
	}
	c.machine = func() int64 { return 0 }
	set(failed+"the system does not say how much memory there is: give an amount", "maxmemory", "50%")
	set("", "maxmemory", "3gb")
	if got := get(t, c, "maxmemory"); got != "3221225472" {
		t.Errorf("CONFIG GET says %s", got)
	}
}

func TestClientsLimit(t *testing.T) {
	for _, test := range []struct {
		maxmemory, clients string
		want               int64
	}{
		{"0", "0", 0}, {"1gb", "0", 0}, {"0", "5%", 0}, {"1gb", "50%", 1 << 29}, {"1gb", "10mb", 10 << 20}, {"0", "10mb", 10 << 20},
		{"0", "1", 128 << 10}, {"1mb", "1%", 128 << 10}, // a smaller limit would let nobody in
	} {
		c := fresh(t)
		if err := c.Set(settings("maxmemory", test.maxmemory, "maxmemory-clients", test.clients), false); err != nil {
			t.Fatal(err)
		}
		if got := c.Values().ClientsLimit(); got != test.want {
			t.Errorf("maxmemory %s, maxmemory-clients %s: %d bytes, want %d", test.maxmemory, test.clients, got, test.want)
		}
	}
}
