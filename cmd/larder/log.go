package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/larderkv/larder/server/config"
)

// The log: text lines by log/slog, at Redis' four levels, of which loglevel chooses the lowest one
// shown. Code below logs with Debug (debug), Info (notice), Warn and Error (warning).

// levelVerbose is between slog's Debug and Info.
const levelVerbose = slog.LevelDebug + 2

// openLog makes the log that the configuration asks for, and what closes it.
func openLog(cfg *config.Config, stdout io.Writer) (*slog.Logger, func() error, error) {
	v := cfg.Values()
	out, closeLog := stdout, func() error { return nil }
	if v.LogFile != "" {
		f, err := os.OpenFile(v.Path(v.LogFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, nil, fmt.Errorf("logfile: cannot write to %s: %w", v.Path(v.LogFile), cause(err))
		}
		out, closeLog = f, f.Close
	}
	var level slog.LevelVar
	level.Set(levelOf(v))
	cfg.OnChange("loglevel", func(v *config.Values) { level.Set(levelOf(v)) })
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: &level, ReplaceAttr: nameLevel})),
		closeLog, nil
}

func levelOf(v *config.Values) slog.Level {
	switch v.LogLevel {
	case "debug":
		return slog.LevelDebug
	case "verbose":
		return levelVerbose
	case "warning":
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// nameLevel writes levels under the names that loglevel has for them.
func nameLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 || a.Key != slog.LevelKey {
		return a
	}
	level, ok := a.Value.Any().(slog.Level)
	if !ok {
		return a
	}
	name := "warning"
	switch {
	case level < levelVerbose:
		name = "debug"
	case level < slog.LevelInfo:
		name = "verbose"
	case level < slog.LevelWarn:
		name = "notice"
	}
	return slog.String(slog.LevelKey, name)
}
