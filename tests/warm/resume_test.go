package warm

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/cmd/warm"
	"github.com/larderkv/larder/tests/harness"
)

// lines is a file of n keys in a format.
func lines(t *testing.T, format string, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		switch format {
		case warm.NDJSON:
			fmt.Fprintf(&b, `{"key":"k%d","value":"%0100d"}`+"\n", i, i)
		case warm.CSV:
			fmt.Fprintf(&b, "k%d,\"%0100d\"\n", i, i)
		default:
			if i == n/2 {
				b.WriteString(harness.Encode("SELECT", "0")) // is it again
			}
			b.WriteString(harness.Encode("SET", fmt.Sprintf("k%d", i), fmt.Sprintf("%0100d", i)))
		}
	}
	if format != warm.RDB {
		return b.String()
	}
	s := harness.Start(t)
	mustWarm(t, options(s.Addr, file(t, "x.resp", b.String())))
	return export(t, s, warm.RDB, "", -1)
}

// TestAServerThatGoesAwayAndComesBack: nothing is lost, and nothing counted as an error.
func TestAServerThatGoesAwayAndComesBack(t *testing.T) {
	const keys = 5000
	for _, format := range []string{warm.NDJSON, warm.CSV, warm.RESP, warm.RDB} {
		s := harness.Start(t)
		p := startProxy(t, s.Addr)
		p.cut.Store(70 << 10)
		if format == warm.RDB {
			p.cut.Store(30 << 10)
		}
		mustWarm(t, options(p.addr, file(t, "x."+format, lines(t, format, keys))))
		if got := s.Dial(t).Do("DBSIZE").Text; got != fmt.Sprint(keys) || p.times.Load() == 0 {
			t.Errorf("%s: %s keys, %d connections cut", format, got, p.times.Load())
		}
	}
}

// TestResume: a run that has failed in the middle goes on from there, by the offset and by the state.
func TestResume(t *testing.T) {
	const keys = 6000
	for _, format := range []string{warm.NDJSON, warm.CSV, warm.RESP, warm.RDB} {
		for _, byState := range []bool{false, true} {
			s := harness.Start(t)
			p := startProxy(t, s.Addr)
			in := file(t, "x."+format, lines(t, format, keys))
			o := options(p.addr, in)
			if byState {
				o.State = filepath.Join(t.TempDir(), "state")
			}
			o.Concurrency = 1 // of several connections another might not have been answered anything
			p.cut.Store(200 << 10)
			o.Wait = time.Nanosecond // the first lost connection ends it
			first, err := warm.Run(t.Context(), o)
			if err == nil || first.Offset == 0 {
				t.Errorf("%s: up to %d: %v", format, first.Offset, err)
				continue
			}
			p.cut.Store(0)
			if !byState {
				o.Offset = first.Offset
			}
			second := mustWarm(t, o)
			if got := s.Dial(t).Do("DBSIZE").Text; got != fmt.Sprint(keys) || second.Resumed != first.Offset ||
				second.Stored >= keys {
				t.Errorf("%s: %s keys, %d of them by the second run, which went on from %d of %d", format, got,
					second.Stored, second.Resumed, first.Offset)
			}
			if _, err := os.Stat(o.State); byState && err == nil {
				t.Errorf("%s: the state is still there after the end", format)
			}
		}
	}
}

// TestAStateThatCannotBeWritten: at the start it is an error, before anything is sent. Later it is none
// of a run that comes to its end.
func TestAStateThatCannotBeWritten(t *testing.T) {
	s := harness.Start(t)
	o := options(s.Addr, file(t, "x.csv", "a,1\nb,2\n"))
	folder := filepath.Join(t.TempDir(), "folder")
	o.State = filepath.Join(folder, "state")
	if _, err := warm.Run(t.Context(), o); err == nil || s.Dial(t).Do("DBSIZE").Text != "0" {
		t.Error(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	o.Progress = func(int64, int64, warm.Counts) { _ = os.RemoveAll(folder) }
	if r := mustWarm(t, o); r.Stored != 2 {
		t.Errorf("%+v", r)
	}
}

// TestTheStateOfAnotherPlaceIsNotUsed: what is started for other keys begins anew, there.
func TestTheStateOfAnotherPlaceIsNotUsed(t *testing.T) {
	for name, change := range map[string]func(o *warm.Options){
		"database": func(o *warm.Options) { o.Target.DB = 2 },
		"prefix":   func(o *warm.Options) { o.Prefix = "other:" },
	} {
		t.Run(name, func(t *testing.T) { changesPlace(t, change) })
	}
}

func changesPlace(t *testing.T, change func(o *warm.Options)) {
	s := harness.Start(t)
	o := options(s.Addr, file(t, "x.csv", lines(t, warm.CSV, 6000)))
	o.State, o.Concurrency, o.Wait, o.Target.DB = filepath.Join(t.TempDir(), "state"), 1, time.Nanosecond, 1
	p := startProxy(t, s.Addr)
	p.cut.Store(200 << 10)
	o.Target.Addr = p.addr
	if first, err := warm.Run(t.Context(), o); err == nil || first.Offset == 0 {
		t.Fatalf("up to %d: %v", first.Offset, err)
	}
	p.cut.Store(0)
	change(&o)
	if second := mustWarm(t, o); second.Resumed != 0 || second.Stored != 6000 {
		t.Errorf("%d keys, from %d on", second.Stored, second.Resumed)
	}
	c := s.Dial(t)
	c.Do("SELECT", strconv.Itoa(o.Target.DB))
	if got := c.Do("EXISTS", o.Prefix+"k0").Text; got != "1" {
		t.Errorf("its first key is not there: %s", got)
	}
}

// TestTheStateOfAnotherFileIsNotUsed: nor one that is none.
func TestTheStateOfAnotherFileIsNotUsed(t *testing.T) {
	s := harness.Start(t)
	o := options(s.Addr, file(t, "x.csv", "a,1\nb,2\n"))
	o.State = file(t, "state", `{"file":"/another","size":8,"modified_ns":1,"server":"`+s.Addr+`","offset":4}`)
	if r := mustWarm(t, o); r.Stored != 2 || r.Resumed != 0 {
		t.Errorf("%+v", r)
	}
	o.State = file(t, "state", `nonsense`)
	if _, err := warm.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no state file") {
		t.Error(err)
	}
	o.State = t.TempDir()
	if _, err := warm.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Error(err)
	}
}
