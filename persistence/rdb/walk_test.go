package rdb

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderkv/larder/store"
)

// recordedFiles are snapshots that servers of several families have written.
func recordedFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/newer/*.rdb")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	return append(files, "testdata/redis.rdb")
}

// TestWalkFindsEveryKey: as many as Check, of all types, each a payload that is whole.
func TestWalkFindsEveryKey(t *testing.T) {
	for _, name := range recordedFiles(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := Check(bytes.NewReader(b), int64(len(b)), CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		keys, end := int64(0), int64(0)
		_, err = Walk(bytes.NewReader(b), int64(len(b)), func(k *Raw) error {
			if keys++; k.End <= end {
				t.Errorf("%s: key %q ends at %d, the one in front of it at %d", name, k.Name, k.End, end)
			}
			end = k.End
			if err := CheckPayload(k.AppendPayload(nil)); err != nil {
				t.Errorf("%s: key %q: %v", name, k.Name, err)
			}
			return nil
		}, func(error) {})
		if err != nil || keys != rep.Keys {
			t.Errorf("%s: %d keys of %d, %v", name, keys, rep.Keys, err)
		}
	}
}

// TestPayloadsMakeTheSameFile: what was taken out of a file makes a file with the same in it, also
// of types that larder does not have.
func TestPayloadsMakeTheSameFile(t *testing.T) {
	for _, name := range recordedFiles(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		e := NewEncoder(&out, Options{Checksum: true, Signature: string(b[:headSize])})
		_, err = Walk(bytes.NewReader(b), int64(len(b)), func(k *Raw) error {
			return e.Payload(k.DB, k.Name, k.ExpireAt, k.AppendPayload(nil))
		}, func(error) {})
		if err = errors.Join(err, e.Close()); err != nil {
			t.Fatal(err)
		}
		want, _ := Check(bytes.NewReader(b), int64(len(b)), CheckOptions{})
		got, err := Check(bytes.NewReader(out.Bytes()), int64(out.Len()), CheckOptions{})
		if err != nil || !got.Checksum || len(got.Types) != len(want.Types) {
			t.Fatalf("%s: %v, %d types and encodings of %d", name, err, len(got.Types), len(want.Types))
		}
		for i := range got.Types {
			w, g := want.Types[i], got.Types[i]
			if g.Type != w.Type || g.Encoding != w.Encoding || g.Keys != w.Keys || g.Elements != w.Elements {
				t.Errorf("%s: %+v, want %+v", name, g, w)
			}
		}
		if got.Expires != want.Expires {
			t.Errorf("%s: %d keys expire, want %d", name, got.Expires, want.Expires)
		}
	}
}

// TestWalkSurvivesDamage: any byte changed, and any end: an error or keys, no panic.
func TestWalkSurvivesDamage(t *testing.T) {
	b, err := os.ReadFile("testdata/redis.rdb")
	if err != nil {
		t.Fatal(err)
	}
	var o Opener
	walk := func(b []byte) error {
		_, err := Walk(bytes.NewReader(b), int64(len(b)), func(k *Raw) error {
			_, _, _, _ = o.Open(k.AppendPayload(nil))
			return nil
		}, func(error) {})
		return err
	}
	for i := 0; i < len(b); i += 1 + i/200 {
		damaged := bytes.Clone(b)
		damaged[i] ^= 0xFF
		if err := walk(damaged); err == nil {
			t.Errorf("a change of byte %d goes unnoticed", i)
		}
		if err := walk(b[:i]); err == nil {
			t.Errorf("an end after %d bytes goes unnoticed", i)
		}
	}
	stop := errors.New("enough")
	if _, err := Walk(bytes.NewReader(b), int64(len(b)), func(*Raw) error { return stop }, func(error) {}); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestComposeIsOpenedAgain(t *testing.T) {
	score := []byte{0, 0, 0, 0, 0, 0, 0xF0, 0x3F}
	var o Opener
	for typ, items := range map[store.Type][][]byte{
		store.TypeList: {[]byte("b"), []byte("b"), {}}, store.TypeSet: {[]byte("b"), []byte("12")},
		store.TypeHash: {[]byte("f"), {0xFF}}, store.TypeZset: {[]byte("m"), score},
	} {
		gotType, _, got, err := o.Open(Compose(nil, typ, items))
		if err != nil || gotType != typ || !bytes.Equal(bytes.Join(got, []byte{'|'}), bytes.Join(items, []byte{'|'})) {
			t.Errorf("%d: %q, %v; want %q", typ, got, err, items)
		}
	}
	for want, payload := range map[error][]byte{ErrPayload: []byte("short"), ErrBadFormat: appendFooter([]byte{200, 1}, 0, 9)} {
		if _, _, _, err := o.Open(payload); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// TestPayloadsBringTimesOfMembers: a set whose members expire goes from a payload into a file.
func TestPayloadsBringTimesOfMembers(t *testing.T) {
	s := open(t)
	v := &store.View{Store: s, Now: 1000}
	s.LockAll()
	k := s.Key([]byte("set"))
	if _, err := v.AddMembers(k, [][]byte{[]byte("larder-times"), []byte("b"), []byte("c")}); err != nil {
		t.Fatal(err)
	}
	m, _, err := v.WriteSet(k)
	if err != nil {
		t.Fatal(err)
	}
	m.Expire([]byte("b"), 7000)
	e, _ := v.Peek(k)
	value := e.Content()
	var d Dumper
	payload := d.Dump(nil, &value, false)
	s.UnlockAll()
	var out bytes.Buffer
	enc := NewEncoder(&out, Options{Checksum: true})
	if err := errors.Join(enc.Payload(0, []byte("set"), 0, payload), enc.Close()); err != nil {
		t.Fatal(err)
	}
	again := open(t)
	if _, err := load(out.Bytes(), again, LoadOptions{Now: 1000}); err != nil {
		t.Fatal(err)
	}
	compare(t, contents(t, again), contents(t, s))
}
