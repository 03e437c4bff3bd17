package commands

import (
	"strings"
	"testing"
)

func TestWaitaofErrors(t *testing.T) {
	c := newTestClient(t)
	for request, want := range map[string]string{
		"WAITAOF 1 0 0":   "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
		"WAITAOF 2 0 0":   "-ERR value is out of range, value must between 0 and 1",
		"WAITAOF -1 x x":  "-ERR value is out of range, value must between 0 and 1",
		"WAITAOF x 0 0":   "-ERR value is not an integer or out of range",
		"WAITAOF 1 -1 0":  "-ERR value is out of range, must be positive",
		"WAITAOF 1 x 0":   "-ERR value is out of range, must be positive",
		"WAITAOF 1 0 x":   "-ERR timeout is not an integer or out of range",
		"WAITAOF 1 0 1.5": "-ERR timeout is not an integer or out of range",
		"WAITAOF 1 0 -1":  "-ERR timeout is negative",
		"WAITAOF 0 0":     "-ERR wrong number of arguments for 'waitaof' command",
	} {
		if got := string(c.send([]byte(request + "\r\n"))); got != want+"\r\n" {
			t.Errorf("%s\n got %q\nwant %q", request, got, want)
		}
	}
	if got := string(c.send([]byte("WAITAOF 0 0 0\r\n"))); got != "*2\r\n:0\r\n:0\r\n" {
		t.Errorf("without a log: %q", got)
	}
	got := string(c.send([]byte("MULTI\r\nWAITAOF 0 5 0\r\nEXEC\r\n")))
	if !strings.HasSuffix(got, "*1\r\n*2\r\n:0\r\n:0\r\n") {
		t.Errorf("in a transaction: %q", got)
	}
}
