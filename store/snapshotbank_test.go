package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// bank has accounts in strings and in the fields of big hashes; transfers
// between them leave the sum as it is, so every snapshot must show it.
type bank struct {
	s       *Store
	strings int
	hashes  int
	fields  int
}

const startBalance = 1000

func (b *bank) total() int64 { return startBalance * int64(b.strings+b.hashes*b.fields) }

// account is a key, and a field if the key is a hash.
type account struct {
	k     Key
	field []byte
}

func (b *bank) account(i int) account {
	if i < b.strings {
		return account{k: b.s.Key(fmt.Append(nil, "account:", i))}
	}
	i -= b.strings
	return account{k: b.s.Key(fmt.Append(nil, "branch:", i%b.hashes)), field: fmt.Append(nil, "account:", i/b.hashes)}
}

func (b *bank) accounts() int { return b.strings + b.hashes*b.fields }

func (b *bank) add(v *View, a account, amount int64) error {
	if a.field == nil {
		_, err := v.IncrBy(a.k, amount)
		return err
	}
	h, ok, err := v.WriteHash(a.k)
	if err != nil || !ok {
		return errors.Join(err, errors.New("no such branch"))
	}
	text, ok := h.Get(a.field)
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || !ok {
		return errors.Join(err, errors.New("no such account"))
	}
	h.Set(a.field, strconv.AppendInt(nil, n+amount, 10), EventHSet)
	return nil
}

func (b *bank) open() error {
	v := &View{Store: b.s, Now: 1_700_000_000_000}
	for i := range b.accounts() {
		a := b.account(i)
		if a.field == nil {
			v.SetString(a.k, strconv.AppendInt(nil, startBalance, 10), 0)
		} else if _, err := v.SetFields(a.k, [][]byte{a.field, strconv.AppendInt(nil, startBalance, 10)}); err != nil {
			return err
		}
	}
	return nil
}

// transfer moves an amount between two accounts. Now and then an account is
// also given another name and its own back, or its record grows and shrinks.
func (b *bank) transfer(rng *rand.Rand) error {
	from, to := b.account(rng.IntN(b.accounts())), b.account(rng.IntN(b.accounts()))
	other := b.s.Key([]byte("closed"))
	var locks Lockset
	locks.Add(from.k.Shard())
	locks.Add(to.k.Shard())
	locks.Add(other.Shard())
	v := &View{Store: b.s, Now: 1_700_000_000_000}
	amount := rng.Int64N(10_000) - 5000
	locks.Lock(b.s)
	defer locks.Unlock(b.s)
	switch rng.IntN(50) {
	case 0:
		v.Rename(from.k, other)
		v.Rename(other, from.k)
	case 1:
		v.SetExpire(from.k, 1_900_000_000_000)
	case 2:
		v.Persist(from.k)
	}
	return errors.Join(b.add(v, from, -amount), b.add(v, to, amount))
}

// auditor is a sink that adds up the balances, slowly.
type auditor struct{ sum, accounts int64 }

func (a *auditor) add(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	a.sum += n
	if a.accounts++; a.accounts%8 == 0 {
		runtime.Gosched()
	}
	return err
}

func (a *auditor) Key(_ *SnapshotKey, v *Value) error     { return a.add(v.Text()) }
func (a *auditor) Begin(*SnapshotKey, int) error          { return nil }
func (a *auditor) Element(_, value []byte, _ int64) error { return a.add(value) }
func (a *auditor) End() error                             { return nil }

// While several goroutines move money between keys of all shards, every
// snapshot of the bank is balanced.
func TestSnapshotsAreConsistent(t *testing.T) {
	rng := randtest.New(t)
	b := &bank{s: testStore(t), strings: 2000, hashes: 3, fields: 1500}
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var workers sync.WaitGroup
	for range 3 {
		seed := rng.Uint64()
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			for !stop.Load() {
				if err := b.transfer(rng); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Go(func() {
		for !stop.Load() {
			if _, err := b.s.Maintain(1_700_000_000_000); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 40 {
		if sum, n := b.audit(t, i%8 == 7); !t.Failed() && (sum != b.total() || n != int64(b.accounts())) {
			t.Errorf("snapshot %d: %d in %d accounts, not %d in %d", i, sum, n, b.total(), b.accounts())
		}
		if t.Failed() {
			break
		}
	}
	stop.Store(true)
	workers.Wait()
	checkAtRest(t, b.s)
}

// audit takes a snapshot; with all locks held throughout if held is set.
func (b *bank) audit(t *testing.T, held bool) (sum, accounts int64) {
	t.Helper()
	b.s.LockAll()
	sn, err := b.s.CutLocked(1_700_000_000_000)
	if err != nil {
		b.s.UnlockAll()
		t.Error(err)
		return 0, 0
	}
	var a auditor
	if held {
		err = sn.RunLocked(&a)
		b.s.UnlockAll()
	} else {
		b.s.UnlockAll()
		err = sn.Run(&a)
	}
	if err != nil {
		t.Error(err)
	}
	return a.sum, a.accounts
}
