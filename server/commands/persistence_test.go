package commands

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
)

// stuck is a file system whose snapshots wait to be created until release is closed.
type stuck struct {
	vfs.FS
	release chan struct{}
}

func (s stuck) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if strings.HasSuffix(name, ".rdb") && flag&os.O_CREATE != 0 {
		<-s.release
	}
	return s.FS.OpenFile(name, flag, perm)
}

// TestRefusedSavesTakeNoLocks: while a save is running, who asks for another is refused though a
// shard is locked.
func TestRefusedSavesTakeNoLocks(t *testing.T) {
	fs := stuck{vfs.NewMem(), make(chan struct{})}
	r := newLogRigOn(t, fs, "no")
	c := r.client()
	c.expect("BGSAVE", "+Background saving started")
	refused := make(chan [3]string, 1)
	r.store.Lock(0)
	go func() { refused <- [3]string{c.do("SAVE"), c.do("BGSAVE"), c.do("BGSAVE", "SCHEDULE")} }()
	select {
	case got := <-refused:
		for _, reply := range got {
			if !strings.Contains(reply, "Background save already in progress") {
				t.Errorf("got %s", reply)
			}
		}
	case <-time.After(time.Minute):
		t.Error("no reply while a shard is locked")
	}
	r.store.Unlock(0)
	close(fs.release)
}
