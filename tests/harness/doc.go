// Package harness starts servers for black-box tests and talks to them byte for byte.
//
// A test gets a server of its own on a port that the system chose, and nothing of it outlives the
// test: larder in this process (Start: the race detector and goleak see it), larder as the built
// binary (StartBinary: signals, exit codes, memory of the process), or redis-server as the oracle
// (StartRedis). All three are a *Server, so that a comparison treats them alike.
//
// Larder has two network drivers that must not be told apart from outside; EachDriver runs a test
// with both.
//
// Nothing here sleeps for a fixed time: Eventually polls, and every read has a deadline that fails
// the test instead of hanging it.
package harness
