package client

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Info is INFO by field. What is missing or not a number counts as 0.
type Info map[string]string

// ParseInfo reads the reply to INFO.
func ParseInfo(text string) Info {
	in := Info{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if ok && !strings.HasPrefix(name, "#") {
			in[name] = value
		}
	}
	return in
}

// Number is a field that is a number.
func (in Info) Number(name string) float64 { return Number(in[name]) }

// Keys is the number of keys in all databases, and of those with a time to live.
func (in Info) Keys() (all, expiring float64) {
	for name, value := range in {
		if strings.HasPrefix(name, "db") {
			p := Pairs(value)
			all, expiring = all+Number(p["keys"]), expiring+Number(p["expires"])
		}
	}
	return all, expiring
}

// Server names the program and its version.
func (in Info) Server() string {
	for _, name := range []string{"larder", "valkey", "dragonfly"} {
		if version := in[name+"_version"]; version != "" {
			return name + " " + version
		}
	}
	return "redis " + cmp.Or(in["redis_version"], "?")
}

// Number is a number that a server has written, 0 for anything else.
func Number(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// Pairs takes "calls=1,usec=2" apart.
func Pairs(text string) map[string]string {
	m := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			m[name] = value
		}
	}
	return m
}

// Fields are the entries of a reply that is a map, which RESP2 sends as an array of names and values.
func Fields(reply any) map[string]any {
	m := map[string]any{}
	switch r := reply.(type) {
	case map[any]any:
		for name, value := range r {
			m[fmt.Sprint(name)] = value
		}
	case []any:
		for i := 0; i+1 < len(r); i += 2 {
			m[fmt.Sprint(r[i])] = r[i+1]
		}
	}
	return m
}

// Figure is the number in a reply, 0 for anything else.
func Figure(reply any) float64 {
	switch r := reply.(type) {
	case int64:
		return float64(r)
	case float64:
		return r
	case string:
		return Number(r)
	}
	return 0
}
