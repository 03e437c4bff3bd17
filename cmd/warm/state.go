package warm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// state is what a state file says: how far a file has been taken in.
type state struct {
	course
	Offset int64 `json:"offset"`
	DB     int   `json:"db"`
}

// course is which keys go where. With another one a run begins anew.
type course struct {
	File     string `json:"file"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified_ns"`
	Format   string `json:"format"`
	Server   string `json:"server"`
	Begun    int    `json:"begun_db"` // database that the file is for, by --db
	Prefix   string `json:"prefix"`
}

// readState returns the state that a file has, or the one given if there is none of that kind.
func readState(name string, now state) (state, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // a device may have no end
		return now, fmt.Errorf("cannot read the state: %s is no regular file", name)
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return now, nil
	} else if err != nil {
		return now, fmt.Errorf("cannot read the state: %w", err)
	}
	var was state
	if err := json.Unmarshal(b, &was); err != nil {
		return now, fmt.Errorf("%s is no state file: remove it to begin anew", name)
	}
	if was.course != now.course || was.Offset < 0 || was.Offset > was.Size {
		return now, nil // of another run
	}
	return was, nil
}

// write replaces the state file as a whole.
func (s *state) write(name string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("cannot write the state: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write the state: %w", err), os.Remove(f.Name()))
	}
	return nil
}
