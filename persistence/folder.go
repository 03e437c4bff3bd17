package persistence

import (
	"errors"
	"fmt"
	"io"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
)

// folder is the lock on the folder that the server writes to. Two servers there
// would overwrite each other's files; Redis lets them.
type folder struct {
	name string // "": nothing is locked
	lock io.Closer
}

// follow locks the folder that v names, if v asks for anything to be written, and
// lets go of another.
func (f *folder) follow(fs vfs.FS, v *config.Values) error {
	want := ""
	if v.AppendOnly || len(v.SavePoints) > 0 {
		want = v.Dir
	}
	if want == f.name {
		return nil
	}
	var lock io.Closer
	if want != "" {
		var err error
		if lock, err = fs.Lock(want); errors.Is(err, vfs.ErrLocked) {
			return fmt.Errorf("another server keeps its data in %s: choose another dir, or switch off save and appendonly", want)
		} else if err != nil {
			return fmt.Errorf("lock the folder of the data: %w", err)
		}
	}
	err := f.release()
	f.name, f.lock = want, lock
	return err
}

func (f *folder) release() error {
	if f.lock == nil {
		return nil
	}
	err := f.lock.Close()
	f.name, f.lock = "", nil
	return err
}
