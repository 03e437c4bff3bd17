package chain

import (
	"errors"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	blockSize = 64 << 10
	// keptBlocks is how many free blocks stay resident for replies to come: 1 MiB.
	keptBlocks = 16
	// regionBlocks is how many blocks are mapped together.
	regionBlocks = 64
	// slowFree is the number of bytes from which giving back is left to a goroutine.
	slowFree = 4 << 20
)

// block is a piece of memory outside the Go heap.
type block struct {
	next *block
	pool *Pool
	mem  *[blockSize]byte

	from, to int32 // mem[from:to] is content
}

func (b *block) content() []byte { return b.mem[b.from:b.to] }

// A Pool hands out blocks. It keeps address space for as long as it lives, and 1 MiB of resident
// memory: what comes back beyond that goes to the system at once. Safe for concurrent use.
type Pool struct {
	mu      sync.Mutex
	warm    *block         // under mu: free blocks that are resident
	warmLen int            // under mu
	cold    *block         // under mu: free blocks without pages
	used    atomic.Int64   // bytes of blocks that have been taken
	leaving atomic.Int64   // bytes of blocks that nobody uses, but that have not gone back yet
	regions [][]byte       // under mu: what is mapped
	freeing sync.WaitGroup // goroutines of putAll
}

// NewPool makes an empty pool.
func NewPool() *Pool { return &Pool{} }

// Close unmaps all memory. Every block must have been given back.
func (p *Pool) Close() error {
	p.freeing.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, mem := range p.regions {
		errs = append(errs, unix.Munmap(mem))
	}
	p.regions, p.warm, p.warmLen, p.cold = nil, nil, 0, nil
	return errors.Join(errs...)
}

// Used is how many bytes the blocks take that are in use, and leaving those of blocks that a
// goroutine is about to give back to the system.
func (p *Pool) Used() (used, leaving int64) { return p.used.Load(), p.leaving.Load() }

// take returns an empty block.
func (p *Pool) take() *block {
	p.used.Add(blockSize)
	p.mu.Lock()
	b := p.warm
	cold := b == nil
	if cold {
		if p.cold == nil {
			p.mapLocked()
		}
		b = p.cold
		p.cold = b.next
	} else {
		p.warm = b.next
		p.warmLen--
	}
	p.mu.Unlock()
	if cold {
		populate(b.mem[:])
	}
	b.next, b.from, b.to = nil, 0, 0
	return b
}

// mapLocked maps memory for some more blocks. Like the Go heap, the pool ends the process if the
// system has no address space.
func (p *Pool) mapLocked() {
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_ANON | unix.MAP_PRIVATE | unix.MAP_NORESERVE
	mem, err := unix.Mmap(-1, 0, regionBlocks*blockSize, prot, flags)
	if err != nil {
		panic("chain: cannot map memory for replies: " + err.Error())
	}
	keepSmall(mem)
	p.regions = append(p.regions, mem)
	blocks := make([]block, regionBlocks)
	for i := range blocks {
		b := &blocks[i]
		b.pool, b.mem = p, (*[blockSize]byte)(unsafe.Pointer(&mem[i*blockSize]))
		b.next, p.cold = p.cold, b
	}
}

// put takes back a block that nobody uses any longer.
func (p *Pool) put(b *block) {
	p.keep(b)
	p.used.Add(-blockSize)
}

// keep puts a block among the free ones.
func (p *Pool) keep(b *block) {
	p.mu.Lock()
	if p.warmLen < keptBlocks {
		b.next, p.warm = p.warm, b
		p.warmLen++
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	if err := unix.Madvise(b.mem[:], unix.MADV_DONTNEED); err != nil {
		panic("BUG: chain: giving memory back: " + err.Error()) // it is not mapped
	}
	p.mu.Lock()
	b.next, p.cold = p.cold, b
	p.mu.Unlock()
}

// putAll takes back a list of blocks that hold so many bytes.
func (p *Pool) putAll(first *block, held int) {
	p.leaving.Add(int64(held))
	p.used.Add(-int64(held))
	if held < slowFree {
		p.keepList(first)
		return
	}
	p.freeing.Go(func() { p.keepList(first) })
}

func (p *Pool) keepList(b *block) {
	for b != nil {
		next := b.next
		p.keep(b)
		p.leaving.Add(-blockSize)
		b = next
	}
}
