package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/secure"
)

// `larder config check`: what a start would do with each line of a redis.conf.

func configCheckCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Say what a redis.conf would do here, line by line",
		Long:  configCheckHelp,
		Args:  oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return checkConfig(args[0], strict, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "fail too if a line asks for something that larder does not do")
	return cmd
}

const configCheckHelp = `Say what a redis.conf would do here, line by line, and in the files that it includes:

  acts       larder does what the line says
  no effect  accepted, and why it changes nothing
  refused    larder would not start, and why; all such lines are shown, not only the first

A line that asks for something which it does not get says so behind "but". Values are not
shown, since some are passwords. - is standard input.

Exit code 0 means that larder would accept the file, 1 that it would not, or with --strict
that there is a "but". Of the machine dir is looked at, which has to exist, and the files that
the parameters of TLS and aclfile name are read. Whether an address is free, and whether the
user who runs larder may write to dir and logfile, shows at the start.

  larder config check /etc/redis/redis.conf`

var outcomeTexts = map[config.Outcome]string{
	config.Acts: "acts", config.NoEffect: "no effect", config.Refused: "refused",
}

// judgeConfig has each line judged, with lines of users by the commands that a server has, and then
// what is in the files that TLS and aclfile name.
func judgeConfig(file string) ([]config.Verdict, error) {
	cfg, err := config.New()
	if err != nil {
		return nil, err
	}
	table, err := serverCommands(cfg)
	if err != nil {
		return nil, err
	}
	users := config.LateJudge{Param: "aclfile",
		Judge: func(v *config.Values) error { return engine.JudgeUserFile(table, v) }}
	return config.Check(file, engine.NewUserJudge(table), users, config.LateJudge{Param: "tls-port", Judge: judgeTLS})
}

func judgeTLS(v *config.Values) error {
	if v.TLSPort == 0 {
		return nil
	}
	_, err := secure.Config(v, time.Now)
	return err
}

// checkConfig prints the verdicts. The error says how many are bad.
func checkConfig(file string, strict bool, out io.Writer) error {
	verdicts, err := judgeConfig(file)
	if err != nil {
		return err
	}
	counts := map[config.Outcome]int64{}
	cautions := int64(0)
	where, name := 0, 0 // widths
	for _, v := range verdicts {
		where, name = max(where, len(v.Where)), max(name, len(v.Name))
	}
	var b strings.Builder
	for _, v := range verdicts {
		counts[v.Outcome]++
		why := v.Why
		if v.Caution != "" {
			cautions++
			why += " but: " + v.Caution
		}
		line := fmt.Sprintf("%-*s  %-9s  %-*s  %s",
			where, v.Where, outcomeTexts[v.Outcome], name, v.Name, strings.TrimSpace(why))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(&b, "%s: %d acts, %d no effect, %d refused\n", plural(int64(len(verdicts)), "line"),
		counts[config.Acts], counts[config.NoEffect], counts[config.Refused])
	_, err = io.WriteString(out, b.String())
	switch refused := counts[config.Refused]; {
	case err != nil:
		return err
	case refused > 0:
		return fmt.Errorf("%s is not accepted: %s refused", file, plural(refused, "line"))
	case strict && cautions > 0:
		return fmt.Errorf("%s asks in %s for what larder does not do", file, plural(cautions, "line"))
	}
	return nil
}
