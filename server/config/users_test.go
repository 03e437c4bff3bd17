package config

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestUserLines: they are passed on with their place, whatever rules they have.
func TestUserLines(t *testing.T) {
	c, err := Load(write(t, "redis.conf", "port 7000\nuser alice on >secret ~a* (+get ~b)\nUSER bob"), []string{"--user", "carol", "off"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range c.UserLines() {
		got = append(got, l.Name+":"+strings.Join(l.Rules, ","))
	}
	if want := "alice:on,>secret,~a*,(+get,~b) bob: carol:off"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	if text := c.UserLines()[0].Fault(errors.New("no")).Error(); !strings.Contains(text, "redis.conf:2: 'user alice") || !strings.HasSuffix(text, ": no") {
		t.Error(text)
	}
	if _, err := Load(write(t, "redis.conf", "user"), nil); err == nil {
		t.Error("a user without a name was accepted")
	}
}

// TestRewriteReplacesUsers: lines of users give way to the users there are.
func TestRewriteReplacesUsers(t *testing.T) {
	for _, test := range []struct {
		before, after string
		users         []UserText
	}{
		{"user a on\nport 7000\nuser b on", "user default on\nport 7000\nuser c off", []UserText{{"user default on", false}, {"user c off", true}}},
		{"port 7000", "port 7000", []UserText{{"user default on", false}}},
		{"port 7000", "port 7000\nuser c off", []UserText{{"user default on", false}, {"user c off", true}}},
		{"user a on\nport 7000\nuser b on", "port 7000", nil},
	} {
		c, err := Load(write(t, "redis.conf", test.before+"\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		c.SetUserTexts(func() []UserText { return test.users })
		if err := c.Rewrite(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(c.File())
		got := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool {
			return !strings.HasPrefix(l, "user") && !strings.HasPrefix(l, "port")
		})
		if err != nil || strings.Join(got, "\n") != test.after {
			t.Errorf("%q: %q, %v", test.before, text, err)
		}
	}
}
