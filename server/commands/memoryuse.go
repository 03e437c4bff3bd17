package commands

import (
	"fmt"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// memoryUse is the server's memory at one moment, in bytes. INFO memory, MEMORY
// STATS and MEMORY DOCTOR tell it in their own ways.
//
// Three allocators share the process: the store's arena, with the data, the blocks of
// replies and messages that clients have not read, and the Go runtime, with everything
// else. All count in all of what Redis says of its one
// allocator, so that Redis' relations hold here:
//
//	used      blocks in use, of data and of output, and what the Go runtime uses
//	active    with the free slots between these blocks
//	resident  with the free spans and the Go heap's pages that the system has not back yet
//	rss       with the program itself, its stacks and tables
//
// used is overhead and data set. Overhead is what Go uses, output, the tables that find the
// keys, and old records that only a running snapshot still needs; the data set is the
// records, in which names, values and times to live stand.
type memoryUse struct {
	used, active, resident, rss int64

	muzzy   int64 // freed, and not yet given back by the one who freed it; not in resident
	golang  int64 // in used: what the Go runtime uses
	output  int64 // in used, not in golang: blocks of output that clients have not read
	clients int64 // in golang and output: sessions and buffers of clients
	log     int64 // in golang: what is appended to the log and not written
	arrays  int64 // in used, not in golang: buckets of the tables that find the keys
	index   int64 // arrays, and these tables' directories, which are in golang
	debt    int64 // in used, not in golang: what only a running snapshot needs

	startup    int64 // used at the start
	peak       int64 // the most that used has been seen to be
	notCounted int64 // in used, but not towards maxmemory

	dbs           []dbUse // those that hold keys
	keys, expires int64   // of all databases
}

// dbUse is the share of one database.
type dbUse struct {
	db    int
	index int64
}

// readMemory collects it. Only for rows that say OwnLocks.
func readMemory(c *engine.Ctx, st store.Stats, p stats.Process, logged int64) *memoryUse {
	k := c.Kernel
	output := k.OutputBlocks()
	m := &memoryUse{
		used: st.Used + p.Go + output, active: st.Held + p.Go + output, resident: st.Resident + p.GoResident + output,
		rss: p.RSS, golang: p.Go, output: output, clients: k.Clients.Memory(),
		log: logged, debt: c.Store.Debt(), startup: k.StartMemory,
	}
	if m.rss == 0 { // the system does not say
		m.rss = m.resident
	}
	for db := range c.Store.Databases() {
		st := c.DBSurvey(db)
		m.arrays += st.Arrays
		m.index += st.Index
		if st.Keys > 0 {
			m.dbs = append(m.dbs, dbUse{db, st.Index})
			m.keys += int64(st.Keys)
			m.expires += int64(st.Expires)
		}
	}
	k.SampleMemory(m.used)
	m.peak = k.PeakMemory()
	m.notCounted = k.NotCounted()
	return m
}

func (m *memoryUse) overhead() int64 { return m.golang + m.output + m.arrays + m.debt }
func (m *memoryUse) dataset() int64  { return m.used - m.overhead() }

// grown is what has come since the start.
func (m *memoryUse) grown() int64 { return max(0, m.used-m.startup) }

// datasetPercent is the data set's share of what has come since the start. Go's heap
// may be smaller than at the start.
func (m *memoryUse) datasetPercent() float64 { return min(100, percent(m.dataset(), m.grown())) }

func (m *memoryUse) peakPercent() float64 { return percent(m.used, m.peak) }

func (m *memoryUse) bytesPerKey() int64 {
	if m.keys == 0 {
		return 0
	}
	return m.grown() / m.keys
}

// layer is what one layer takes beyond the one below it.
type layer struct{ whole, part int64 }

func (m *memoryUse) fragmentation() layer { return layer{m.active, m.used} }
func (m *memoryUse) unreturned() layer    { return layer{m.resident, m.active} }
func (m *memoryUse) process() layer       { return layer{m.rss, m.resident} }
func (m *memoryUse) total() layer         { return layer{m.rss, m.used} }

// bytes may be below zero: what has never been touched is not resident.
func (l layer) bytes() int64 { return l.whole - l.part }

// ratio is how many times part whole is, 0 of nothing.
func (l layer) ratio() float64 { return percent(l.whole, l.part) / 100 }

// percent is a share, 0 of nothing.
func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) * 100 / float64(whole)
}

// human prints an amount as Redis' bytesToHuman does.
func human(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	f := float64(n)
	for _, unit := range "KMGTP" {
		if f /= 1024; f < 1024 {
			return fmt.Sprintf("%.2f%c", f, unit)
		}
	}
	return fmt.Sprintf("%dB", n)
}
