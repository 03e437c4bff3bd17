package main

import (
	"github.com/spf13/cobra"

	"github.com/larderkv/larder/cmd/client"
)

// connectFlags adds the flags by which all tools that talk to a server find it.
func connectFlags(cmd *cobra.Command) *client.Target {
	t := new(client.Target)
	set := cmd.Flags()
	set.StringVar(&t.Addr, "addr", "",
		"`host:port` of the server, or the path of its Unix socket (default "+client.DefaultAddr+")")
	set.StringVar(&t.URL, "url", "",
		"in place of the address: redis://[user:password@]host:port/db, rediss://... or unix:///path")
	set.StringVar(&t.User, "user", "", "user to log in as (default: the server's default user)")
	set.StringVar(&t.Password, "password", "",
		"`password`; better in the variable "+client.PasswordEnv+", where others cannot see it")
	set.IntVar(&t.DB, "db", -1, "`number` of the database (default 0, or what the URL says)")
	set.Lookup("db").DefValue = "0" // said in the text; 0 is not shown
	set.BoolVar(&t.TLS, "tls", false, "talk to the server by TLS")
	set.StringVar(&t.CACert, "cacert", "",
		"`file` of the certificates that the server's is checked by (default: the system's); implies --tls")
	set.StringVar(&t.Cert, "cert", "", "`file` of the certificate to show; implies --tls")
	set.StringVar(&t.Key, "key", "", "`file` of that certificate's key")
	set.StringVar(&t.ServerName, "servername", "",
		"`name` that the server's certificate is for (default: the host of the address); implies --tls")
	return t
}
