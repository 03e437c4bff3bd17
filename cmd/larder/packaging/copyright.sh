#!/bin/sh
# Prints the licences of everything that is compiled into the program, as those licences ask for.
set -eu
cd "$(dirname "$0")/../../.."
echo "larder is compiled from its own source and from the modules below, under their licences."
go list -deps -f '{{with .Module}}{{if .Version}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/larder | sort -u |
	while read -r path version dir; do
		for licence in "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/NOTICE*; do
			[ -f "$licence" ] || continue
			printf '\n=== %s %s: %s\n\n' "$path" "$version" "$(basename "$licence")"
			cat "$licence"
		done
	done
printf '\n=== The Go standard library: LICENSE\n\n'
cat "$(go env GOROOT)/LICENSE"
