package config

import (
	"fmt"
	"strconv"
	"strings"
)

// adminParams are those of the admin server, which speaks HTTP on a port of its own. Where it listens
// is settled at the start, as for clients; who may do what there may change while it runs.
func adminParams() []Param {
	return []Param{
		{
			Name: "admin-port", Default: "0", Change: Immutable,
			Kind:    integer(0, 65535, func(v *Values) *int64 { return &v.AdminPort }),
			Meaning: "port of the admin server: metrics, health, dashboard and profiles over HTTP; 0 none (larder's own)",
		}, {
			Name: "admin-bind", Default: "127.0.0.1", Change: Immutable,
			Kind:    addresses(func(v *Values) *[]string { return &v.AdminBind }),
			Meaning: "addresses that the admin server listens on (larder's own)",
		}, {
			Name: "admin-hosts", Default: "",
			Kind:    hostNames(func(v *Values) *[]string { return &v.AdminHosts }),
			Meaning: "names beside IP addresses and localhost under which the admin server may be asked for (larder's own)",
		}, {
			Name: "admin-password", Default: "",
			Kind:    password(func(v *Values) *string { return &v.AdminPassword }),
			Meaning: "password of the user admin of the admin server; without one only users of ACL get in (larder's own)",
		}, {
			Name: "admin-write", Default: "no",
			Kind:    yesNo(func(v *Values) *bool { return &v.AdminWrite }),
			Meaning: "whether keys may be changed and deleted through the admin server (larder's own)",
		}, {
			Name: "health-hit-rate-warn", Default: "0.7",
			Kind:    share(func(v *Values) *float64 { return &v.HealthHitRateWarn }),
			Meaning: "hit rate below which /health/cache warns, and says why; 0 never (larder's own)",
		},
	}
}

// share is a number from 0 to 1.
func share(to func(*Values) *float64) Kind {
	parse := func(word string) (string, error) {
		f, err := strconv.ParseFloat(untilNUL(word), 64)
		if err != nil || !(f >= 0 && f <= 1) { // NaN is neither
			return "", problem("argument must be a number between 0 and 1 inclusive")
		}
		return strconv.FormatFloat(f, 'f', -1, 64), nil
	}
	return one("a number from 0 to 1", parse, func(v *Values, text string) {
		*to(v), _ = strconv.ParseFloat(text, 64) // text is what parse wrote
	})
}

// hostNames are names as a Host header has them, without a port.
func hostNames(to func(*Values) *[]string) Kind {
	const most = 64
	k := addresses(to)
	k.Expects = fmt.Sprintf(`at most %d names of hosts, or ""`, most)
	k.parse = func(in input) (string, error) {
		words := strings.Fields(strings.ToLower(strings.Join(in.args, " ")))
		if len(words) > most {
			return "", problemf("at most %d names", most)
		}
		for _, w := range words {
			if strings.ContainsAny(w, "/:@*\x00") {
				return "", problemf("%q is not the name of a host", w)
			}
		}
		return strings.Join(words, " "), nil
	}
	return k
}
