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

// follow locks the folder that v names, if v asks for anything to be written. It
// returns the lock of another that was held before, for the caller to release when
// nothing is written there any more. After an error all is as before.
func (f *folder) follow(fs vfs.FS, v *config.Values) (old folder, err error) {
	var next folder
	if v.AppendOnly || len(v.SavePoints) > 0 {
		next.name = v.Dir
	}
	if next.name == f.name {
		return folder{}, nil
	}
	if next.name != "" {
		if next.lock, err = fs.Lock(next.name); errors.Is(err, vfs.ErrLocked) {
			return folder{}, fmt.Errorf("another server keeps its data in %s: choose another dir, or switch off save and appendonly", next.name)
		} else if err != nil {
			return folder{}, fmt.Errorf("lock the folder of the data: %w", err)
		}
	}
	old, *f = *f, next
	return old, nil
}

func (f *folder) release() error {
	if f.lock == nil {
		return nil
	}
	err := f.lock.Close()
	f.name, f.lock = "", nil
	return err
}
