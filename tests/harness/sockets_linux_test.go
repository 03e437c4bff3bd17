package harness

import (
	"net"
	"os"
	"strconv"
	"testing"
)

// TestListening: both ways to find a listener find it, and no connection.
func TestListening(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, own, err := net.SplitHostPort(nc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	ports, err := listening()
	if err != nil {
		t.Fatal(err)
	}
	for _, ports := range []map[string]int{ports, listed(os.Getpid())} {
		count := map[string]int{}
		for _, p := range ports {
			count[strconv.Itoa(p)]++
		}
		if count[port] != 1 || count[own] != 0 {
			t.Errorf("port %s is found %d times, %s of the client %d times", port, count[port], own, count[own])
		}
	}
	if got, ok := listeningPort(os.Getpid()); !ok || strconv.Itoa(got) != port {
		t.Errorf("this process listens on %d, %v; want %s", got, ok, port)
	}
	if got, ok := listeningPort(os.Getpid(), port); ok {
		t.Errorf("it listens on %d as well", got)
	}
}
