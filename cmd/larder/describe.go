package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/server/config"
)

// `larder config`, and what is made of the table of parameters: `larder config print`, and the list
// of flags in the help of `larder serve`.

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Describe the configuration",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "print",
		Short: "Print every parameter with its default, meaning and effect",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printParams(cmd.OutOrStdout())
		},
	}, configCheckCommand())
	return cmd
}

// printParams describes every parameter. The output is a valid redis.conf of the defaults.
func printParams(out io.Writer) error {
	var b strings.Builder
	b.WriteString("# larder's parameters and their defaults. In a file, on the command line (--name value), by CONFIG SET.\n")
	for _, p := range config.Params() {
		fmt.Fprintf(&b, "\n# %s.\n#   values: %s\n#   change: %s\n",
			sentence(p.Meaning), p.Kind.Expects, changeText(p.Change))
		if len(p.Aliases) > 0 {
			fmt.Fprintf(&b, "#   also called: %s\n", strings.Join(p.Aliases, ", "))
		}
		if p.Inert == "" {
			b.WriteString("#   effect: acted on\n")
		} else {
			fmt.Fprintf(&b, "#   effect: accepted without effect: %s\n", p.Inert)
		}
		fmt.Fprintf(&b, "%s %s\n", p.Name, defaultText(p))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func sentence(s string) string {
	return strings.ToUpper(s[:1]) + s[1:]
}

// defaultText is a default as a file has it.
func defaultText(p config.Param) string {
	if p.Default == "" {
		return `""`
	}
	return p.Default
}

func changeText(c config.Change) string {
	switch c {
	case config.Immutable:
		return "at start only"
	case config.Protected:
		return "by CONFIG SET, if enable-protected-configs allows it"
	}
	return "by CONFIG SET"
}

// printFlags lists the parameters as flags, a line each, those without effect at the end and short.
func printFlags(out io.Writer) {
	var idle []string
	for _, p := range config.Params() {
		if p.Inert != "" {
			idle = append(idle, "--"+p.Name)
			continue
		}
		fmt.Fprintf(out, "  --%-28s %s (%s)\n", p.Name, p.Meaning, defaultText(p))
	}
	fmt.Fprintln(out)
	line := "  ["
	for i, name := range idle {
		if i > 0 && len(line)+len(name) > 110 {
			fmt.Fprintln(out, line)
			line = " "
		}
		if i > 0 {
			line += " "
		}
		line += name
	}
	fmt.Fprintln(out, line+"]")
}
