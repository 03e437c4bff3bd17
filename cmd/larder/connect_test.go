package main

import (
	"errors"
	"reflect"
	"testing"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/cmd/client"
)

func TestConnectFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want client.Target
	}{
		{nil, client.Target{DB: -1}},
		{[]string{"--url", "redis://h/4", "--db", "0"}, client.Target{URL: "redis://h/4"}},
		{
			[]string{"--addr", "h:1", "--user", "u", "--password", "p", "--db=2", "--tls", "--cacert", "a", "--cert",
				"c", "--key", "k", "--servername", "s"},
			client.Target{Addr: "h:1", User: "u", Password: "p", DB: 2, TLS: true, CACert: "a", Cert: "c", Key: "k",
				ServerName: "s"},
		},
	} {
		cmd := &cobra.Command{}
		target := connectFlags(cmd)
		if err := cmd.ParseFlags(c.args); err != nil || !reflect.DeepEqual(*target, c.want) {
			t.Errorf("%v: %+v, %v", c.args, *target, err)
		}
	}
}

func TestErrorsAreOnePrintableLine(t *testing.T) {
	err := errors.Join(errors.New("ERR \x1b[2J\u202e"), errors.New("and another"))
	if got, want := oneLine(err), `ERR \x1b[2J\u202e; and another`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
