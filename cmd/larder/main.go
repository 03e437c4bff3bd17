// Command larder is the server's program: `larder serve` runs it, `larder check` looks into its
// files, `larder config print` describes its parameters, `larder version` names its version.
//
// A failure is one line on standard error and exit code 1.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/server/config"
)

func main() {
	if err := rootCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "larder: "+oneLine(err))
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:                "larder",
		Short:              "An in-memory cache server that speaks Redis' protocol",
		Version:            versionText(),
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // they take several lines
		CompletionOptions:  cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetVersionTemplate("larder {{.Version}}\n")
	root.AddCommand(serveCommand(), checkCommand(), configCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "larder", versionText())
			return err
		},
	}
}

func versionText() string {
	return fmt.Sprintf("%s (clients see Redis %s; %s %s/%s)",
		config.Version, config.RedisVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
