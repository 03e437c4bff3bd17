package harness

import "testing"

// Node runs a program of this repository, named from its root, with Node and the packages of the
// tests, and returns what it printed. A program that fails, fails the test.
func Node(t testing.TB, program string, args ...string) string {
	t.Helper()
	node := Tool(t, "node", "make tools")
	return runProgram(t, node, []string{"NODE_PATH=" + installed(t, ".node", "node_modules")}, program, args)
}

// NodeModule is the path of a file in the packages of the tests.
func NodeModule(t testing.TB, name string) string {
	t.Helper()
	return installed(t, ".node", "node_modules", name)
}
