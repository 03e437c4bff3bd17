package dashboard_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Without admin-write nothing can be changed, and the page says how it could.
func TestReadOnly(t *testing.T) {
	s, admin := start(t)
	fill(t, s)
	b := open(t, 1280, 900)
	b.visit(admin, "")
	b.live()
	look(b, "doc:1", "string")
	b.wait("what to do", `document.querySelector(".key").innerText.includes("CONFIG SET admin-write yes")`)
	if eval[bool](b, `document.querySelector(".key .danger, .key footer") !== null`) {
		t.Error("there are buttons of changes")
	}
	b.wait("JSON laid out, its numbers as they are", `document.querySelector("pre.value").textContent === '{\n  "title": "Larder",\n  "n": 12345678901234567890\n}'`)
	b.clean(admin)
}

// With it keys are changed and deleted, after a question that can be answered by no.
func TestChanges(t *testing.T) {
	s, admin := start(t, "admin-write yes")
	fill(t, s)
	c := s.Dial(t)
	b := open(t, 1280, 900)
	b.visit(admin, "#keys")
	b.live()
	look(b, "doc:1", "string")
	expect := func(want string, args ...string) {
		t.Helper()
		if got := c.Do(args...).Raw; got != want {
			t.Errorf("%v: %q, want %q", args, got, want)
		}
	}
	ask := func(button string) {
		t.Helper()
		eval[any](b, `[...document.querySelectorAll(".key footer button")].find((x) => x.textContent === `+quoted(button)+`).click()`)
		b.wait("a question", `document.querySelector("dialog[open]")?.innerText.includes("doc:1")`)
	}
	closed := func() { b.wait("no question", `document.querySelector("dialog") === null`) }

	ask("Delete")
	b.picture("delete")
	b.do(chromedp.KeyEvent(kb.Escape))
	closed()
	ask("Delete")
	b.do(chromedp.KeyEvent(kb.Enter)) // Cancel has the focus
	closed()
	expect(":1\r\n", "EXISTS", "doc:1")

	ask("Edit value")
	b.picture("edit")
	b.do(chromedp.SetValue(chromedp.CSS("dialog textarea"), "line 1\nline <b>2</b> ü\\x"))
	b.press("dialog .primary")
	closed()
	expect("$25\r\nline 1\nline <b>2</b> ü\\x\r\n", "GET", "doc:1")
	b.wait("the new value", `document.querySelector("pre.value").textContent === "line 1\\nline <b>2</b> ü\\\\x"`)

	ask("Set time to live")
	b.do(chromedp.Click(chromedp.CSS("#forever")), chromedp.SetValue(chromedp.CSS("dialog input[type=number]"), "500"))
	b.picture("ttl")
	b.press("dialog .primary")
	closed()
	b.wait("the time to live", `document.querySelector(".key .facts").innerText.includes("8 min")`)
	if n, _ := c.Do("TTL", "doc:1").Int(); n < 400 || n > 500 {
		t.Errorf("TTL %d", n)
	}
	ask("Edit value")
	b.press("dialog .primary")
	closed()
	if n, _ := c.Do("TTL", "doc:1").Int(); n < 400 || n > 500 {
		t.Errorf("TTL %d after an edit", n)
	}

	// What has been switched off meanwhile is refused, and the question says why.
	c.MustOK("CONFIG", "SET", "admin-write", "no")
	ask("Delete")
	b.press("dialog .danger")
	b.wait("why not", `document.querySelector("dialog .trouble").innerText.includes("admin-write is no")`)
	expect(":1\r\n", "EXISTS", "doc:1")
	b.tells() // of the refusal
	c.MustOK("CONFIG", "SET", "admin-write", "yes")
	b.press("dialog .danger")
	closed()
	expect(":0\r\n", "EXISTS", "doc:1")
	b.wait("no key", `document.querySelector(".key").hidden && !`+column(0)+`.includes("doc:1")`)
	b.clean(admin)
}

// A user of ACL sees what that user may, and is told what not.
func TestRights(t *testing.T) {
	s, admin := start(t, "user reader on >reader-password ~user:* +@read +info")
	fill(t, s)
	b := open(t, 1280, 900)
	b.do(chromedp.Navigate("http://reader:reader-password@" + admin + "/"))
	b.live()
	for _, view := range []string{"slowlog", "clients", "config"} {
		b.press(`.tabs a[href="#` + view + `"]`)
		b.wait("a refusal", `document.querySelector(".trouble:not([hidden])")?.innerText.includes("may not see this")`)
	}
	b.picture("refused")
	look(b, "user:1", "string")
}
