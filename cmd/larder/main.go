// Command larder is the server's program: `larder serve` runs it, `larder check` looks into its
// files, `larder config print` describes its parameters, `larder version` names its version;
// `larder warm` and `larder export` move keys between servers and files, `larder bench` measures how a
// server answers, `larder top` shows what it does, `larder advise` says what it could do better.
//
// A failure is one line on standard error and exit code 1, or 2 if it is one in part.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/server/config"
)

func main() {
	if err := rootCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "larder: "+oneLine(err))
		os.Exit(exitCode(err))
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:                "larder",
		Short:              "An in-memory cache server that speaks Redis' protocol",
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // they take several lines
		CompletionOptions:  cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE:               runRoot,
	}
	root.Flags().BoolP("version", "v", false, "version for larder")
	root.AddCommand(serveCommand(), checkCommand(), configCommand(), versionCommand(),
		warmCommand(), exportCommand(), topCommand(), adviseCommand(), benchCommand())
	return root
}

// runRoot is larder without a command. It has a flag --version of its own: cobra's needs a template for
// this text, and with text/template in it the linker keeps every exported method of every package,
// which made the program 12 MB larger and a server's resident set one.
func runRoot(cmd *cobra.Command, _ []string) error {
	if asked, err := cmd.Flags().GetBool("version"); err != nil || asked {
		return errors.Join(err, printVersion(cmd))
	}
	return cmd.Help()
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return printVersion(cmd) },
	}
}

func printVersion(cmd *cobra.Command) error {
	_, err := fmt.Fprintln(cmd.OutOrStdout(), "larder", versionText())
	return err
}

func versionText() string {
	return fmt.Sprintf("%s (clients see Redis %s; %s %s/%s)",
		config.Version, config.RedisVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
