package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/words"
)

// The names that Redis gives to the files of a log.
const (
	manifestSuffix = ".manifest"
	baseSuffix     = ".base"
	incrSuffix     = ".incr"
	rdbSuffix      = ".rdb"
	respSuffix     = ".aof"
	tempPrefix     = "temp-"
)

// maxManifestLine is the longest line of a manifest, its end included.
const maxManifestLine = 1024

// File is a line of a manifest.
type File struct {
	Name string // in the log's folder
	Seq  int64
}

// Manifest says which files make up a log, as in Redis' aof.c: the base, then the incremental files
// in this order. Files of the history are waiting for their removal.
type Manifest struct {
	Base        File // no name: there is none
	Incremental []File
	History     []File

	dir   string // absolute folder of the files
	adopt string // a single file that becomes the base; see Find
	seq   int64  // numbers of incremental files that are taken, though none is named
}

// Empty reports whether there is nothing to load.
func (m *Manifest) Empty() bool { return m.Base.Name == "" && len(m.Incremental) == 0 }

// Files are the names of the files to load, in order.
func (m *Manifest) Files() []string {
	var names []string
	if m.Base.Name != "" {
		names = append(names, m.Base.Name)
	}
	for _, f := range m.Incremental {
		names = append(names, f.Name)
	}
	return names
}

// Paths are the paths of the files to load, in order: for a log that is yet to be adopted, where
// its file is now.
func (m *Manifest) Paths() []string {
	names := m.Files()
	for i := range names {
		names[i] = filepath.Join(m.dir, names[i])
	}
	if m.adopt != "" {
		names[0] = m.adopt
	}
	return names
}

// Size is the number of bytes in the files to load. It fails if one of them is missing.
func (m *Manifest) Size(fsys vfs.FS) (total int64, err error) {
	for _, path := range m.Paths() {
		info, err := fsys.Stat(path)
		if err != nil {
			return 0, fmt.Errorf("the log's manifest names a file that cannot be read: %w", err)
		}
		total += info.Size()
	}
	return total, nil
}

// Tail is the index, in Files and Paths, of the file that may have a torn end: the last one that is
// not empty, as a rewrite names its new file before anything is written there. A base with files
// behind it is never that: it was synced before the manifest named it, so a torn one is damage. It
// is -1 if there is none.
func (m *Manifest) Tail(fsys vfs.FS) (int, error) {
	paths := m.Paths()
	first := 0
	if m.Base.Name != "" && len(paths) > 1 {
		first = 1
	}
	for i := len(paths) - 1; i >= first; i-- {
		info, err := fsys.Stat(paths[i])
		if err != nil {
			return 0, err
		}
		if info.Size() > 0 {
			return i, nil
		}
	}
	return -1, nil
}

// clone copies m, so that a change can be given up.
func (m *Manifest) clone() *Manifest {
	c := *m
	c.Incremental = append([]File(nil), m.Incremental...)
	c.History = append([]File(nil), m.History...)
	return &c
}

// lastIncremental is the sequence number of the newest incremental file, 0 without one.
func (m *Manifest) lastIncremental() int64 {
	if n := len(m.Incremental); n > 0 {
		return m.Incremental[n-1].Seq
	}
	return m.seq
}

// ManifestError is a manifest that is not as it should be. Its text is Redis'.
type ManifestError struct {
	Path   string
	Line   int    // from 1; 0 if the error is not in a line
	Text   string // the line
	Reason string
}

func (e *ManifestError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("%s: %s at line %d: '%s'", e.Path, e.Reason, e.Line, e.Text)
}

// ReadManifest reads the manifest of the log with these names from its folder. The error is a
// *ManifestError, or wraps fs.ErrNotExist if there is no manifest.
func ReadManifest(fsys vfs.FS, dir, prefix string) (*Manifest, error) {
	return readManifestFile(fsys, ManifestPath(dir, prefix))
}

// ManifestPath is where the manifest of the log with these names is.
func ManifestPath(dir, prefix string) string { return filepath.Join(dir, prefix+manifestSuffix) }

func readManifestFile(fsys vfs.FS, path string) (*Manifest, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("read the log's manifest: %w", err)
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the log's manifest: %w", err)
	}
	m, err := parseManifest(text)
	if bad := (*ManifestError)(nil); errors.As(err, &bad) {
		bad.Path = path
	}
	if err != nil {
		return nil, err
	}
	m.dir = filepath.Dir(path)
	return m, nil
}

// parseManifest follows aofLoadManifestFromFile.
func parseManifest(text []byte) (*Manifest, error) {
	m := &Manifest{}
	if len(text) == 0 {
		return nil, &ManifestError{Reason: "Found an empty AOF manifest"}
	}
	for n := 1; len(text) > 0; n++ {
		line := text[:min(len(text), maxManifestLine)]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		text = text[len(line):]
		if line[0] == '#' {
			continue
		}
		if reason := m.parseLine(line); reason != "" {
			return nil, &ManifestError{Line: n, Text: strings.Trim(string(line), " \t\r\n"), Reason: reason}
		}
	}
	return m, nil
}

const badFormat = "Invalid AOF manifest file format"

// parseLine adds a line to m, or returns what is wrong with it.
func (m *Manifest) parseLine(line []byte) (reason string) {
	if line[len(line)-1] != '\n' || bytes.IndexByte(line, 0) >= 0 {
		return "The AOF manifest file contains too long line"
	}
	trimmed := bytes.Trim(line, " \t\r\n")
	pairs, ok := words.Split(nil, bytes.Clone(trimmed))
	if !ok && bytes.IndexByte(trimmed, '"') < 0 {
		// Redis quotes names with many a character, but not those with an apostrophe, which it cannot
		// read back itself. Without a double quote there is no quoted name: words end at spaces.
		pairs, ok = bareWords(trimmed)
	}
	if !ok || len(pairs) < 6 || len(pairs)%2 != 0 {
		return badFormat // more than three pairs are left to later versions
	}
	var f File
	kind := byte(0)
	for i := 0; i < len(pairs); i += 2 {
		value := pairs[i+1]
		switch strings.ToLower(string(pairs[i])) {
		case "file":
			if f.Name = cString(value); strings.ContainsAny(f.Name, `/\`) {
				return "File can't be a path, just a filename"
			}
		case "seq":
			f.Seq = atoll(cString(value))
		case "type":
			if kind = 0; len(value) > 0 {
				kind = value[0]
			}
		}
	}
	if f.Name == "" || f.Seq == 0 || kind == 0 {
		return badFormat
	}
	return m.add(f, kind)
}

// bareWords splits a line at blanks. It returns false if anything but a file's name has an
// apostrophe.
func bareWords(line []byte) (all [][]byte, ok bool) {
	all = bytes.Fields(line)
	for i, word := range all {
		name := i%2 == 1 && strings.EqualFold(string(all[i-1]), "file")
		if !name && bytes.IndexByte(word, '\'') >= 0 {
			return nil, false
		}
	}
	return all, true
}

func (m *Manifest) add(f File, kind byte) (reason string) {
	switch kind {
	case 'b':
		if m.Base.Name != "" {
			return "Found duplicate base file information"
		}
		m.Base = f
	case 'h':
		m.History = append(m.History, f)
	case 'i':
		if f.Seq <= m.lastIncremental() {
			return "Found a non-monotonic sequence number"
		}
		m.Incremental = append(m.Incremental, f)
	default:
		return "Unknown AOF file type"
	}
	return ""
}

// cString is b up to a NUL, which "\x00" in quotes can bring in.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// atoll is C's: white space, a sign, digits; what follows does not count, and what is too large
// stops at the limit.
func atoll(s string) int64 {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && ('0' <= s[end] && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return n
}

// append writes the manifest as getAofManifestAsString does.
func (m *Manifest) append(dst []byte) []byte {
	if m.Base.Name != "" {
		dst = m.Base.append(dst, 'b')
	}
	for _, f := range m.History {
		dst = f.append(dst, 'h')
	}
	for _, f := range m.Incremental {
		dst = f.append(dst, 'i')
	}
	return dst
}

func (f File) append(dst []byte, kind byte) []byte {
	dst = append(dst, "file "...)
	dst = appendName(dst, f.Name)
	dst = append(dst, " seq "...)
	dst = strconv.AppendInt(dst, f.Seq, 10)
	dst = append(dst, " type "...)
	return append(dst, kind, '\n')
}

// appendName quotes a name that sdssplitargs would not read as one word. Redis leaves a single
// quote as it is, and then does not load what it has written.
func appendName(dst []byte, name string) []byte {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '\\' && c != '"' && c != '\'' }
	for i := range len(name) {
		if !plain(name[i]) {
			return words.AppendQuoted(dst, name)
		}
	}
	return append(dst, name...)
}

// save replaces the manifest on disk, durably and at once: whatever happens, one of the two is
// there and whole.
func (m *Manifest) save(fsys vfs.FS, prefix string) error {
	name := prefix + manifestSuffix
	temp := filepath.Join(m.dir, tempPrefix+name)
	err := writeFile(fsys, temp, m.append(nil))
	if err == nil {
		err = fsys.Rename(temp, filepath.Join(m.dir, name))
	}
	if err == nil {
		err = fsys.SyncDir(m.dir)
	}
	if err != nil {
		return fmt.Errorf("write the log's manifest: %w", err)
	}
	return nil
}

// writeFile makes or replaces a file whose content is durable, but not its name.
func writeFile(fsys vfs.FS, path string, content []byte) error {
	f, err := fsys.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// removeFiles removes what is there of the files, and makes that durable.
func removeFiles(fsys vfs.FS, dir string, names ...string) error {
	removed := false
	for _, name := range names {
		err := fsys.Remove(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return fsys.SyncDir(dir)
}
