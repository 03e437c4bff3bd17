package dashboard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/larderkv/larder/tests/harness"
)

// Fifty thousand prefixes, of which ten thousand are counted one by one: the page has a hundred of
// them at a time, and goes on taking samples.
func TestManyPrefixes(t *testing.T) {
	s, admin := start(t, "prefix-max 10000")
	c := s.Dial(t)
	const all, batch = 50000, 1000
	for i := 0; i < all; i += batch {
		var text strings.Builder
		for j := i; j < i+batch; j++ {
			text.WriteString(harness.Encode("SET", fmt.Sprintf("p%05d:k", j), "v"))
		}
		c.WriteRaw(text.String())
		for range batch {
			c.Read()
		}
	}
	b := open(t, 1280, 900)
	b.visit(admin, "#prefixes")
	b.live()
	b.wait("a page", `document.querySelector(".pager").innerText.includes("1–100 of 10,000")`)
	b.wait("no more rows than that", `document.querySelectorAll("main tbody tr").length === 101`)
	b.wait("all others", column(0)+`[100] === "(other)" && `+column(6)+`[100] === "40,000"`)
	b.picture("first")
	b.press(`.pager button:last-child`)
	b.wait("the next page", `document.querySelector(".pager").innerText.includes("101–200 of 10,000")`)
	b.press(`th:first-child button`)
	b.wait("the first by name", `document.querySelector(".pager").innerText.includes("1–100 of") && `+column(0)+`[0] === "p00000"`)
	b.do(chromedp.SendKeys(chromedp.CSS(`input[type="search"]`), "p0012"))
	b.wait("ten that fit", column(0)+`.join() === "p00120,p00121,p00122,p00123,p00124,p00125,p00126,p00127,p00128,p00129"`)
	b.wait("no pages", `document.querySelector(".pager").hidden`)

	// While the list is shown the page answers: the longest time that it did nothing else is told.
	longest := eval[float64](b, `new Promise((done) => {
		let last = performance.now(), longest = 0;
		const timer = setInterval(() => {
			const now = performance.now();
			longest = Math.max(longest, now - last);
			last = now;
		}, 1);
		document.querySelector('input[type="search"]').value = "";
		document.querySelector('input[type="search"]').dispatchEvent(new Event("input"));
		const look = () => document.querySelectorAll("main tbody tr").length === 101 ? (clearInterval(timer), done(longest)) : setTimeout(look, 20);
		look();
	})`)
	t.Logf("the page stood still for %.0f ms at most", longest)
	b.press(`.tabs a[href="#keys"]`)
	b.wait("a hundred keys", column(0)+`.length >= 100`)
	b.press(`.pager button`)
	b.wait("more of them", column(0)+`.length >= 200`)
	b.clean(admin)
}
