package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/larderkv/larder/server"
	"github.com/larderkv/larder/server/config"
)

// The service manager that has started larder: it may have opened the sockets (socket activation),
// and wants to know when the server is ready, how far it is until then, and when it stops. As in
// Redis it is told only if the parameter supervised says so, and ready is who has loaded the data.

// tellEvery is the time between two messages while loading.
const tellEvery = time.Second

// The variables by which service managers tell that they are there.
const (
	envSystemd = "NOTIFY_SOCKET"
	envUpstart = "UPSTART_JOB"
)

// supervisor is the service manager that is told.
type supervisor struct {
	name string // as INFO's process_supervised: systemd, upstart, or no
	log  *slog.Logger
}

// findSupervisor finds the service manager that the parameter supervised asks for. One that is not
// there is no reason not to serve.
func findSupervisor(asked string, log *slog.Logger) supervisor {
	s := supervisor{name: asked, log: log}
	if asked == config.SupervisedAuto {
		switch {
		case os.Getenv(envUpstart) != "":
			s.name = config.SupervisedUpstart
		case os.Getenv(envSystemd) != "":
			s.name = config.SupervisedSystemd
		default:
			s.name = config.SupervisedNo
		}
	}
	variables := map[string]string{config.SupervisedSystemd: envSystemd, config.SupervisedUpstart: envUpstart}
	if variable, ok := variables[s.name]; ok && os.Getenv(variable) == "" {
		log.Warn("no service manager is told of the state of the server: the environment lacks its variable",
			"supervised", s.name, "variable", variable)
		s.name = config.SupervisedNo
	}
	return s
}

// tell sends systemd a message; nobody else wants any.
func (s supervisor) tell(state string) {
	if s.name != config.SupervisedSystemd {
		return
	}
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("cannot tell systemd of the state of the server", "error", err)
	}
}

// ready says that clients are served.
func (s supervisor) ready() {
	s.tell(daemon.SdNotifyReady + "\nSTATUS=Ready to accept connections")
	if s.name == config.SupervisedUpstart {
		s.log.Info("stopping until Upstart continues the process, which shows it that the server is ready")
		if err := stopUntilContinued(); err != nil {
			s.log.Warn("cannot tell Upstart that the server is ready", "error", err)
		}
	}
}

// follow tells of the server's state while Serve runs. The function that it returns waits until all
// has been told, and is to be called after Serve.
func (s supervisor) follow(srv *server.Server) (wait func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.followLoading(srv)
		<-srv.Ending()
		s.tell(daemon.SdNotifyStopping + "\nSTATUS=Stopping: clients get their last replies")
	}()
	return func() { <-over }
}

// followLoading tells how far loading is, and that it is over. It returns early when the server ends.
func (s supervisor) followLoading(srv *server.Server) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		done, total, keys := srv.LoadProgress()
		s.tell(fmt.Sprintf("STATUS=Loading: %d %% of %d MB, %d keys", done*100/max(total, 1), total>>20, keys))
		select {
		case <-srv.Loaded():
			s.ready()
			return
		case <-srv.Ending():
			return
		case <-tick.C:
		}
	}
}

// givenSockets are the listening sockets that came with the process (sd_listen_fds). There are none
// as a rule.
func givenSockets() ([]net.Listener, error) {
	all, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("sockets of the service manager: %w", err)
	}
	for i, ln := range all {
		if ln == nil {
			return nil, fmt.Errorf("socket %d of the service manager is no stream socket that listens", i+1)
		}
	}
	return all, nil
}
