package config

import (
	"strings"
	"testing"
)

// TestPasswordsAreSecret: what is a password by its row's words is one by its kind, and nothing else.
func TestPasswordsAreSecret(t *testing.T) {
	found := 0
	for _, p := range Params() {
		isOne := p.Kind.Expects == "a password"
		if isOne {
			found++
		}
		for _, name := range p.names() {
			if Secret(name) != isOne || Secret(strings.ToUpper(name)) != isOne {
				t.Errorf("%s is a secret: %v, want %v", name, Secret(name), isOne)
			}
			if like := strings.HasSuffix(name, "pass") || strings.HasSuffix(name, "auth") ||
				strings.HasPrefix(p.Meaning, "password"); like && !isOne {
				t.Errorf("%s sounds like a password", name)
			}
		}
	}
	if found < 4 || !Secret("primaryauth") || Secret("nosuch") {
		t.Errorf("%d passwords in the table", found)
	}
}

// TestPasswordsAreNotSaid: whatever is wrong with the line of a password, the error does not repeat it,
// nor does a check of the file.
func TestPasswordsAreNotSaid(t *testing.T) {
	var lines []string
	for _, p := range Params() {
		if p.Kind.secret {
			for _, rest := range []string{" hush hush", "\thush hush", ` "hush`, " hush\n" + p.Name + " hush hush"} {
				lines = append(lines, p.Name+rest, strings.ToUpper(p.Name)+rest, `"`+p.Name+`"`+rest)
			}
		}
	}
	for _, line := range append(lines, "user bob on >hush\naclfile x") {
		file := write(t, "redis.conf", line+"\n")
		_, err := Load(file, nil)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", line, err)
		}
		verdicts, err := Check(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts {
			if strings.Contains(v.Name+v.Why+v.Caution, "hush") {
				t.Errorf("%q: %+v", line, v)
			}
		}
	}
	for _, flags := range [][]string{{"--requirepass", "hush", "hush"}, {`--tls-key-file-pass "hush`},
		{"--MASTERAUTH=hush", "hush"}} {
		if _, err := Load("", flags); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", flags, err)
		}
	}
}
