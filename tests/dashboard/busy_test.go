package dashboard_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/larderkv/larder/tests/harness"
)

// fill makes a server look as one that is used: prefixes that hit differently, keys of all types, a
// slow command, a client with a name, keys that expire.
func fill(t testing.TB, s *harness.Server) {
	t.Helper()
	c := s.Dial(t)
	c.MustOK("CONFIG", "SET", "slowlog-log-slower-than", "0")
	c.MustOK("CLIENT", "SETNAME", "web-1")
	c.MustOK("CONFIG", "SET", "slowlog-log-slower-than", "10000")
	c.Do("RPUSH", "recent:7", "order:1", "order:2")
	c.Do("SADD", "tags:news", "go", "cache")
	c.Do("ZADD", "board:eu", "1.5", "ada", "2", "bob")
	c.Do("HSET", "profile:1", "name", "Ada", "plan", "pro")
	c.MustOK("SET", "doc:1", `{"title":"Larder","n":12345678901234567890}`)
	for i := range 500 {
		c.MustOK("SET", "user:"+strconv.Itoa(i), strings.Repeat("x", 100))
		c.MustOK("SET", "session:"+strconv.Itoa(i), "s", "EX", "1000")
	}
	read(c)
}

func read(c *harness.Conn) {
	for i := range 600 {
		c.Do("GET", "user:"+strconv.Itoa(i)) // 500 of 600 hit
		c.Do("GET", "session:"+strconv.Itoa(10*i))
	}
}

// traffic has one client call f again and again until the test ends.
func traffic(t testing.TB, s *harness.Server, f func(c *harness.Conn)) {
	t.Helper()
	c := s.Dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		for ctx.Err() == nil {
			f(c)
		}
	})
	t.Cleanup(func() { cancel(); work.Wait() })
}

// card is an expression for what a card of the overview shows.
func card(title string) string {
	return `[...document.querySelectorAll(".chart")].find((c) => c.querySelector("h2").textContent === ` + quoted(title) + `).querySelector(".big").innerText`
}

// column is an expression for the texts of a column of the first table.
func column(n int) string {
	return fmt.Sprintf(`[...document.querySelectorAll("main tbody tr")].map((r) => r.children[%d].innerText.trim())`, n)
}

func TestBusyServer(t *testing.T) {
	s, admin := start(t, "maxmemory 64mb")
	fill(t, s)
	traffic(t, s, read)
	b := open(t, 1440, 1000)
	b.visit(admin, "")
	b.live()
	b.wait("operations", `parseFloat(`+card("Operations")+`.replace(",", "")) > (`+card("Operations")+`.includes("k") ? 0.1 : 100)`)
	b.wait("a hit rate", card("Hit rate")+`.includes("%")`)
	b.wait("memory against the cap", card("Memory")+`.includes("counted: ") && `+card("Memory")+`.includes("of 64.0")`)
	b.wait("a latency", card("Latency")+`.includes("s")`)
	b.wait("curves", `document.querySelectorAll(".chart canvas").length === 6`)
	b.wait("prefixes", column(0)+`.includes("user")`)
	b.wait("a verdict", `document.querySelector(".verdict").dataset.status === "warn"`)
	b.picture("overview")

	// The keyboard reads a curve's values.
	b.do(chromedp.Focus(chromedp.CSS(".chart")), chromedp.KeyEvent(kb.ArrowLeft))
	b.wait("the time of a value", `/^\d\d:\d\d:\d\d$/.test(document.querySelector(".chart .at").textContent)`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.wait("the present value", `document.querySelector(".chart .at").textContent === ""`)

	// The history is there as soon as the page is: it is the server's, not the page's.
	b.wait("a history", `fetch(location.origin + "/api/history").then((r) => r.json()).then((h) => h.seconds.length >= 2)`)
	b.do(chromedp.Reload())
	b.live()

	b.press(`.tabs a[href="#prefixes"]`)
	b.wait("prefixes by reads", column(0)+`[0] === "session" || `+column(0)+`[0] === "user"`)
	b.press(`th:nth-child(8) button`)
	b.wait("prefixes by bytes", `document.querySelector("th:nth-child(8)").ariaSort === "descending" && `+column(0)+`[0] === "user"`)
	b.press(`th:nth-child(8) button`)
	b.wait("the smallest first", `document.querySelector("th:nth-child(8)").ariaSort === "ascending" && `+column(0)+`.indexOf("user") > 2`)
	b.press(`th:nth-child(2) button`)
	b.wait("prefixes by hit rate", column(1)+`[0].startsWith("8") && `+column(0)+`[0] === "user"`)
	b.picture("prefixes")
	b.do(chromedp.SendKeys(chromedp.CSS(`input[type="search"]`), "SESS"))
	b.wait("one prefix", `document.querySelectorAll("main tbody tr").length === 1`)
	b.press(`tbody a`)
	b.wait("its keys", `document.querySelector("h1").textContent === "Browse keys" && `+column(0)+`.length > 50 && `+column(0)+`.every((k) => k.startsWith("session:"))`)
	for view, want := range map[string]string{"slowlog": "CLIENT SETNAME web-1", "clients": "web-1", "config": "maxmemory", "persistence": "dump.rdb"} {
		b.press(`.tabs a[href="#` + view + `"]`)
		b.wait(view, `document.querySelector("main").innerText.includes(`+quoted(want)+`)`)
		b.picture(view)
	}
	b.clean(admin)
}

// Keys that are accessed most, the largest ones, and how sizes are spread.
func TestHotKeys(t *testing.T) {
	s, admin := start(t)
	fill(t, s)
	c := s.Dial(t)
	c.MustOK("SET", "large", strings.Repeat("x", 1<<20))
	traffic(t, s, func(c *harness.Conn) { c.Do("GET", "user:7") }) // it is hot while it is read, or ten seconds longer
	b := open(t, 1280, 1000)
	b.visit(admin, "#hot")
	b.live()
	b.wait("the hot key", `document.querySelector('[aria-label="Hot keys"] tbody th')?.innerText.trim() === "user:7"`)
	b.wait("the big key", `document.querySelector('[aria-label="Big keys"] tbody th')?.innerText.trim() === "large"`)
	b.wait("sizes", `document.querySelector(".sizes").innerText.includes("1 MB to 2 MB") || document.querySelector(".sizes").innerText.includes("1\u202fMB to 2\u202fMB")`)
	b.picture("hot")
	b.press(`[aria-label="Big keys"] tbody a`)
	b.wait("the key", `document.querySelector(".key:not([hidden]) h2")?.innerText === "large"`)
	c.MustOK("CONFIG", "SET", "hotkeys", "no")
	b.press(`.tabs a[href="#hot"]`)
	b.wait("how to switch it on", `document.querySelector(".hot")?.innerText.includes("CONFIG SET hotkeys yes")`)
	b.clean(admin)
}

// The page is small, and drawn at once.
func TestWeight(t *testing.T) {
	_, admin := start(t)
	b := open(t, 1280, 900)
	b.visit(admin, "")
	b.live()
	type resource struct {
		Name string
		Size int64
	}
	const most = 200 << 10
	sum := int64(0)
	for _, r := range eval[[]resource](b, `performance.getEntries().filter((e) => e.entryType === "navigation" || e.entryType === "resource" && e.name.includes("/page/"))
		.map((e) => ({ Name: e.name, Size: e.decodedBodySize }))`) {
		t.Logf("%6d %s", r.Size, r.Name[strings.LastIndex(r.Name, "/")+1:])
		sum += r.Size
	}
	if sum < 10<<10 || sum > most {
		t.Errorf("the page is %d bytes, and may be %d", sum, most)
	}
	b.wait("paint", `performance.getEntriesByType("paint").length === 2`)
	t.Logf("%d bytes; first paint after %.0f ms, samples after %.0f ms", sum,
		eval[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`), eval[float64](b, `performance.now()`))
}
