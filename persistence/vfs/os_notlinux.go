//go:build !linux

package vfs

import "os"

func syncData(f *os.File) error { return f.Sync() }

func startSync(*os.File, int64, int64) error { return nil }
