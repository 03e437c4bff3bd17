package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/larderkv/larder/cmd/client"
	"github.com/larderkv/larder/server"
	"github.com/larderkv/larder/server/config"
)

// `larder serve`. Its arguments are redis-server's: a file, then parameters with two dashes, each
// with as many values as it takes. No flag library reads these, so the words go to package config
// as they are, and the help is made here.

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                "serve [redis.conf | -] [--parameter value ...]",
		Short:              "Run the server",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, arg := range args {
				if arg == "-h" || arg == "--help" {
					return cmd.Help()
				}
			}
			file, flags := splitArgs(args)
			return serve(file, flags, os.Stdout)
		},
	}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		out := cmd.OutOrStdout()
		fmt.Fprint(out, serveHelp)
		printFlags(out)
	})
	return cmd
}

const serveHelp = `Run the server.

  larder serve [redis.conf | -] [--parameter value ...]

The file is in redis.conf syntax; - reads standard input. Parameters that follow override it:

  larder serve
  larder serve /etc/redis/redis.conf --port 7000 --save ""
  larder serve --bind 127.0.0.1 ::1 --maxmemory 2gb --client-output-buffer-limit normal 64mb 16mb 10

SIGTERM and SIGINT answer what has arrived, save, then stop; a SIGINT behind one stops at once.
SIGHUP reads certificates anew.

Parameters (` + "`larder config print`" + ` says more; those in brackets are accepted without effect):

`

// splitArgs takes the file out of the arguments: the first of them if it is no flag, or a dash at
// the end, where redis-server has it.
func splitArgs(args []string) (file string, flags []string) {
	if n := len(args); n > 0 && args[n-1] == "-" {
		return "-", args[:n-1]
	}
	if len(args) > 0 && (args[0] == "-" || !strings.HasPrefix(args[0], "-")) {
		return args[0], args[1:]
	}
	return "", args
}

// spareProcessors lets the runtime run one goroutine more than there are event loops, so that these
// may keep their processors through short waits, and background work does not wait for them. It follows
// CONFIG SET io-threads. Where there are cores enough the runtime goes on looking after their number,
// which ends when it is told one.
func spareProcessors(cfg *config.Config) {
	usual, told := runtime.GOMAXPROCS(0), false
	fit := func(v *config.Values) {
		if least := int(v.IOThreads) + 1; told || runtime.GOMAXPROCS(0) < least {
			runtime.GOMAXPROCS(max(usual, least))
			told = true
		}
	}
	fit(cfg.Values())
	cfg.OnChange("io-threads", fit)
}

// serve runs the server until a signal or the SHUTDOWN command ends it. The log goes to the file
// that the configuration names, otherwise to stdout.
func serve(file string, flags []string, stdout io.Writer) (err error) {
	cfg, err := config.Load(file, flags)
	if err != nil {
		return err
	}
	values := cfg.Values()
	if err := checkDir(values); err != nil {
		return err
	}
	log, closeLog, err := openLog(cfg, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()

	pid := values.Path(values.PIDFile)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	admins, err := fitClients(cfg, log)
	if err != nil {
		return err
	}
	spareProcessors(cfg)
	sockets, err := givenSockets()
	if err != nil {
		return err
	}
	if len(sockets) > 0 {
		log.Info("listening on the sockets of the service manager: bind, port and unixsocket have no effect",
			"sockets", len(sockets))
	}
	manager := findSupervisor(values.Supervised, log)
	srv, err := server.Open(cfg, log, server.OnListeners(sockets...),
		server.SupervisedBy(manager.name), server.AdminConnections(admins))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	writePID(pid, log)
	defer removePID(pid, log)
	announce(cfg, log, srv)
	defer obey(signals, srv, log, func() { removePID(pid, log) })()
	if err := releaseImage(); err != nil {
		log.Debug("the pages that starting has touched stay", "error", err)
	}
	told := manager.follow(srv)
	err = srv.Serve(context.Background())
	told()
	log.Info("larder stops")
	return err
}

// announce says where larder listens, with what limits, and what of the configuration it does not
// do.
func announce(cfg *config.Config, log *slog.Logger, srv *server.Server) {
	v := cfg.Values()
	log.Info("larder serves", "version", config.Version,
		"pid", os.Getpid(), "listen", srv.Places(), "config", cfg.File(),
		"dir", v.Dir, "maxclients", v.MaxClients, "maxmemory", v.MaxMemory,
		"databases", v.Databases, "io-threads", v.IOThreads,
		"driver", srv.Driver(), "max-argument", v.ProtoMaxBulkLen, "query-buffer", v.ClientQueryBufferLimit)
	if v.MaxMemory == 0 {
		log.Info("maxmemory is not set: keys may take all the memory there is")
	}
	if names := cfg.Ignored(); len(names) > 0 {
		log.Info("parameters accepted without effect: see `larder config print`", "names", strings.Join(names, " "))
	}
	for _, caution := range cfg.Cautions() {
		log.Warn(caution)
	}
}

// obey has SIGHUP read certificates anew, and each other signal stop the server, until the function
// that it returns is called. A SIGINT that comes while an earlier one is being obeyed ends the process
// at once, after last has been called: somebody sits there and insists. A SIGTERM then changes nothing,
// as in Redis: programs such as timeout(1) send it to the process and once more to its group, and the
// second one is not to take the save away that the first one has asked for. A signal that comes after
// the server had to stay, as data would have been lost, is a new try.
func obey(signals <-chan os.Signal, srv *server.Server, log *slog.Logger, last func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		stayed := make(chan error)
		stopping := false
		for {
			select {
			case s := <-signals:
				if s == syscall.SIGHUP {
					srv.Reload()
					continue
				}
				if stopping && s == syscall.SIGTERM {
					log.Info("stopping already; SIGINT stops at once", "signal", s.String())
					continue
				}
				if stopping {
					log.Warn("stopped at once", "signal", s.String())
					last()
					os.Exit(1)
				}
				stopping = true
				log.Warn("stopping; SIGINT stops at once", "signal", s.String())
				go func() {
					if err := srv.Stop(s == syscall.SIGINT); err != nil {
						select {
						case stayed <- err:
						case <-done: // something else has ended it meanwhile
						}
					}
				}()
			case err := <-stayed:
				stopping = false
				log.Error("not stopping: this would lose data", "error", err)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// checkDir makes sure that data can be kept in the folder that the configuration names. The current
// folder, which nobody chose, may be read-only if nothing is to be written.
func checkDir(v *config.Values) error {
	keeps := v.AppendOnly || len(v.SavePoints) > 0
	if wd, err := os.Getwd(); err == nil && wd == v.Dir && !keeps {
		return nil
	}
	probe, err := os.CreateTemp(v.Dir, "larder-*.tmp")
	if err != nil {
		hint := ""
		if keeps {
			hint = ` (without data to keep: --save "" --appendonly no)`
		}
		return fmt.Errorf("dir: cannot write to %s: %w%s", v.Dir, cause(err), hint)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// cause is an error without the name of the file, where that would be noise.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// writePID leaves the process id in a file. As in Redis, it is no reason not to serve if that
// fails.
func writePID(name string, log *slog.Logger) {
	if name == "" {
		return
	}
	if err := os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		log.Warn("cannot write the pidfile", "error", err)
	}
}

// removePID removes the file again, unless another process has taken it over.
func removePID(name string, log *slog.Logger) {
	if name == "" {
		return
	}
	content, err := os.ReadFile(name)
	if err != nil || strings.TrimSpace(string(content)) != strconv.Itoa(os.Getpid()) {
		return
	}
	if err := os.Remove(name); err != nil {
		log.Warn("cannot remove the pidfile", "error", err)
	}
}

// oneLine makes an error fit one line of standard error. It may quote what a server or a file says.
func oneLine(err error) string {
	return client.Printable(strings.ReplaceAll(err.Error(), "\n", "; "))
}
