package chain

import "golang.org/x/sys/unix"

// keepSmall asks for pages of the smallest size: in a huge one each block would take as much as 32.
func keepSmall(mem []byte) { _ = unix.Madvise(mem, unix.MADV_NOHUGEPAGE) } // an error: there are none

// populate makes all pages of mem resident by one call. Where the kernel cannot (before 5.14) they
// become so as they are written.
func populate(mem []byte) { _ = unix.Madvise(mem, unix.MADV_POPULATE_WRITE) }
