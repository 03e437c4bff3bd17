package aof

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/larderkv/larder/persistence/vfs"
)

// CheckOptions say what Check is to do besides looking.
type CheckOptions struct {
	// RDB checks the part of a file that is in RDB form and returns its length. size is the file's.
	RDB func(r io.Reader, size int64) (rdbBytes int64, err error)
	// Replay, if not nil, returns the error with which a server would end its start at a command.
	Replay func(cmd Command) error
	// Fix cuts off what follows the last good command, in the last file only.
	Fix bool
	// Confirm is asked before Fix cuts a file; nil means yes.
	Confirm func(file string, size, valid int64) bool
	// TruncateTo cuts off what was written after this time, in unix seconds, in the last file only;
	// 0: nothing. It needs the annotations of aof-timestamp-enabled.
	TruncateTo int64
	// Progress may be nil.
	Progress func(read, total int64)
}

// FileKind is what a file is for.
type FileKind uint8

const (
	SingleFile      FileKind = iota // not of a manifest
	BaseFile                        // the first of a manifest
	IncrementalFile                 // one of those that follow
)

// FileReport is what was found in one file.
type FileReport struct {
	Name        string
	Kind        FileKind
	RDB         bool  // it begins in RDB form
	Size, Valid int64 // bytes; those up to the end of the last good command or transaction
	Lines       int64 // read, as redis-check-aof counts
	Commands    int64
	Cut         bool  // it has been cut to Valid
	Err         error // what is wrong with it, before it was cut: a *CorruptError, a *TornError, or RDB's
}

// CheckReport is filled as far as Check came.
type CheckReport struct {
	MultiPart bool // the file was a manifest
	Files     []FileReport
	Counts    map[string]int64 // commands by their name in upper case; "" for those with all too many different names
	Refused   map[string]int64 // those of them at which a server would end its start
	Refusal   error            // why the first of them; nil: there is none
}

// TornError is a file that ends in the middle of a command or a transaction.
type TornError struct{ Reason string }

func (e *TornError) Error() string { return e.Reason }

// Errors of Check that are about more than one file's content.
var (
	ErrNotLast        = errors.New("it is not the last file of the log")
	ErrNotConfirmed   = errors.New("not confirmed")
	ErrNothingBefore  = errors.New("the file has nothing before the timestamp")
	errAfterTimestamp = errors.New("after the timestamp")
)

// Check does what redis-check-aof does: it looks at all files of a log, given its manifest or a
// file of commands, stops at the first that is not in order, and repairs it if it was asked to. The
// error is nil if all is in order now.
func Check(fsys vfs.FS, path string, o CheckOptions) (CheckReport, error) {
	c := &checker{fs: fsys, opts: o, report: CheckReport{Counts: map[string]int64{}, Refused: map[string]int64{}}}
	m, err := c.files(path)
	if err != nil {
		return c.report, err
	}
	paths := m.Paths()
	if c.total, err = m.Size(fsys); err != nil {
		return c.report, err
	}
	tail, err := m.Tail(fsys)
	if err != nil {
		return c.report, err
	}
	for i, p := range paths {
		kind := IncrementalFile
		switch {
		case !c.report.MultiPart:
			kind = SingleFile
		case i == 0 && m.Base.Name != "":
			kind = BaseFile
		}
		f := FileReport{Name: filepath.Base(p), Kind: kind}
		err := c.file(p, i == tail, &f)
		c.report.Files = append(c.report.Files, f)
		if err != nil {
			return c.report, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return c.report, nil
}

type checker struct {
	fs          vfs.FS
	opts        CheckOptions
	report      CheckReport
	read, total int64
}

// files reads the manifest, or makes one of a single file.
func (c *checker) files(path string) (*Manifest, error) {
	f, err := c.fs.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	head, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	for len(head) > 0 && head[0] == '#' {
		_, head, _ = bytes.Cut(head, []byte("\n"))
	}
	if bytes.HasPrefix(head, []byte("file")) {
		c.report.MultiPart = true
		return readManifestFile(c.fs, path)
	}
	return &Manifest{Base: File{Name: filepath.Base(path)}, dir: filepath.Dir(path)}, nil
}

// What a file in RDB form begins with: one of Redis', and one of Valkey 9 and later.
const (
	rdbMagic    = "REDIS"
	valkeyMagic = "VALKEY"
)

// file checks one file, and cuts it if it has to be.
func (c *checker) file(path string, tail bool, r *FileReport) (err error) {
	f, err := c.fs.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r.Size = info.Size()
	if r.Size == 0 {
		return nil
	}
	if err := c.rdbPart(f, r); err != nil {
		return err
	}
	r.Err = c.commands(f, r)
	if errors.Is(r.Err, errAfterTimestamp) {
		r.Err = nil
		return c.cutAfterTimestamp(path, tail, r)
	}
	if r.Err == nil || !c.opts.Fix {
		return r.Err
	}
	switch {
	case !errors.As(r.Err, new(*CorruptError)) && !errors.As(r.Err, new(*TornError)):
		return r.Err // the disk's error, not the file's
	case !tail:
		return fmt.Errorf("%w; it cannot be cut: %w", r.Err, ErrNotLast)
	case c.opts.Confirm != nil && !c.opts.Confirm(r.Name, r.Size, r.Valid):
		return ErrNotConfirmed
	}
	return c.cut(path, r)
}

// rdbPart checks the beginning of a file that is in RDB form; Valid is where that ends.
func (c *checker) rdbPart(f vfs.File, r *FileReport) error {
	var magic [len(valkeyMagic)]byte
	n, err := f.ReadAt(magic[:], 0)
	if err != nil && err != io.EOF {
		return err
	}
	if !bytes.HasPrefix(magic[:n], []byte(rdbMagic)) && string(magic[:n]) != valkeyMagic {
		return nil
	}
	r.RDB = true
	before := c.read
	end, err := c.opts.RDB(&meter{c: c, r: io.NewSectionReader(f, 0, r.Size)}, r.Size)
	if err != nil {
		r.Err = err
		return err
	}
	c.read, r.Valid = before+end, end // it may have read ahead
	return nil
}

// commands reads the commands that follow.
func (c *checker) commands(f vfs.File, r *FileReport) error {
	from := r.Valid
	size := r.Size - from
	res, err := ReadCommands(&meter{c: c, r: io.NewSectionReader(f, from, size)}, size, ReadOptions{
		File: r.Name, Offset: from, Annotation: c.annotation,
	}, c.count)
	r.Valid, r.Lines, r.Commands = res.Valid, res.Lines, res.Commands
	if err == nil && res.Truncated {
		return &TornError{res.Reason}
	}
	return err
}

// annotation ends the reading at the first one that is after the time wanted.
func (c *checker) annotation(line []byte, offset int64) error {
	text, ok := bytes.CutPrefix(line, []byte(timestampMark))
	if !ok || c.opts.TruncateTo == 0 {
		return nil
	}
	if atoll(string(text)) > c.opts.TruncateTo {
		return errAfterTimestamp
	}
	return nil
}

// maxNames bounds the names that are counted: a damaged file can have any number.
const maxNames = 1000

func (c *checker) count(batch []Command) error {
	for _, cmd := range batch {
		name := strings.ToUpper(string(cmd.Args[0]))
		if c.report.Counts[name] == 0 && len(c.report.Counts) >= maxNames {
			name = ""
		}
		c.report.Counts[name]++
		if c.opts.Replay == nil {
			continue
		}
		if err := c.opts.Replay(cmd); err != nil {
			c.report.Refused[name]++
			c.report.Refusal = cmp.Or(c.report.Refusal, err)
		}
	}
	return nil
}

func (c *checker) cutAfterTimestamp(path string, tail bool, r *FileReport) error {
	if r.Valid == 0 {
		return ErrNothingBefore
	}
	if !tail {
		return fmt.Errorf("it would be cut at offset %d, but %w", r.Valid, ErrNotLast)
	}
	return c.cut(path, r)
}

// cut makes the file end behind what is valid.
func (c *checker) cut(path string, r *FileReport) error {
	f, err := c.fs.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(f.Truncate(r.Valid), f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("cut the file: %w", err)
	}
	r.Cut = true
	return nil
}

// meter tells of the progress.
type meter struct {
	c *checker
	r io.Reader
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.c.read += int64(n)
	if m.c.opts.Progress != nil {
		m.c.opts.Progress(min(m.c.read, m.c.total), m.c.total)
	}
	return n, err
}
