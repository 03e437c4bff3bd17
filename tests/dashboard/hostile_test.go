package dashboard_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// hostile are texts that would harm a page which takes them for anything but text.
var hostile = []string{
	`<script>window.harmed = 1</script>`,
	`<img src=x onerror="window.harmed = 1">`,
	`"><svg onload=window.harmed=1>`,
	`javascript:window.harmed=1`,
	`</textarea></pre><b>bold</b>`,
	"{{7*7}}${window.harmed=1}",
	"\x00\x01\xff\xfe binary \r\n",
	"abc\u202egnp.exe\u200b",
	"../../etc/passwd%00",
	" ",
	"",
}

// Names and values of keys are shown, whatever they are, and are nothing but shown.
func TestHostileNames(t *testing.T) {
	s, admin := start(t, "admin-write yes")
	c := s.Dial(t)
	for i, text := range hostile {
		c.Do("SET", text, text)
		c.Do("GET", text)
		c.Do("GET", text+":key")
		c.Do("HSET", fmt.Sprintf("hash:%d", i), text, text)
		c.Do("RPUSH", "list", text)
		c.Do("SADD", "set", text)
		c.Do("ZADD", "zset", fmt.Sprint(i), text)
	}
	c.MustOK("SET", strings.Repeat("long<b>", 1<<17), "x") // 1 MB
	c.MustOK("SET", "big", strings.Repeat("<i>", 1<<19))
	c.MustOK("CLIENT", "SETNAME", "<script>window.harmed=1</script>")
	c.MustOK("CONFIG", "SET", "slowlog-log-slower-than", "0")
	c.Do("GET", "<script>window.harmed=1</script>")
	c.MustOK("CONFIG", "SET", "slowlog-log-slower-than", "10000000")

	b := open(t, 1280, 900)
	b.visit(admin, "#keys")
	b.live()
	total := len(hostile) + len(hostile) + 3 + 2
	b.wait("all keys", fmt.Sprintf(`document.querySelectorAll(".list tbody tr").length === %d`, total))
	b.picture("keys")
	for i, text := range hostile {
		harmless(b, text)
		look(b, text, "string")
		if got := eval[string](b, `document.querySelector("pre.value").textContent`); strings.HasPrefix(text, "<") && got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
		if i == 0 {
			b.picture("script")
		}
	}
	look(b, "big", "string")
	b.wait("what is left out", `document.querySelector(".key").innerText.includes("The first 16.0\u202fKB of 1.50\u202fMB")`)
	look(b, "hash:0", "hash")
	b.picture("hash")
	for _, name := range []string{"list", "set", "zset"} {
		look(b, name, name)
		b.wait("its elements", fmt.Sprintf(`document.querySelectorAll(".key tbody tr").length === %d`, len(hostile)))
		harmless(b, name)
	}
	for view := range views {
		b.press(`.tabs a[href="#` + view + `"]`)
		b.wait(view, `document.querySelector("h1").textContent === `+quoted(views[view])+` && document.querySelector("main").innerText.length > 100`)
		harmless(b, view)
		b.picture(view)
	}
	b.clean(admin)
}

// look opens a key by the address that a link to it has.
func look(b *browser, name, typ string) {
	b.t.Helper()
	hash := "#keys/key/0/" + base64.RawURLEncoding.EncodeToString([]byte(name))
	eval[any](b, `void (location.hash = `+quoted(hash)+`)`)
	b.wait(fmt.Sprintf("the key %q", name), `document.querySelector(".key:not([hidden]) dd")?.textContent === `+quoted(typ)+
		` && location.hash === `+quoted(hash)+` && document.querySelector(".key").dataset.name === `+quoted(hash[len("#keys/key/0/"):]))
}

// harmless looks for what a text has become that should have stayed a text.
func harmless(b *browser, what string) {
	b.t.Helper()
	if eval[bool](b, `window.harmed !== undefined || document.querySelector("main :is(script, img, svg:not(.spark, .bar), b:not(.name), i:not(.swatch), iframe), main [onerror], main [onload]") !== null`) {
		b.t.Errorf("%q has become more than text", what)
	}
}

// The policy of the page refuses what an injected text would need.
func TestPolicy(t *testing.T) {
	_, admin := start(t)
	b := open(t, 900, 600)
	b.visit(admin, "")
	b.live()
	for _, try := range []string{
		`document.body.innerHTML = "<b>x</b>"`,
		`document.body.insertAdjacentHTML("beforeend", "<b>x</b>")`,
		`document.write("<b>x</b>")`,
		`document.createElement("script").text = "window.harmed = 1"`,
	} {
		if !eval[bool](b, `(() => { const s = document.createElement("script"); s.type = "module"; try { `+try+`; return false } catch (e) { return true } })()`) {
			t.Errorf("%s is allowed", try)
		}
	}
	for _, try := range []string{
		`fetch("http://127.0.0.1:1/").then(() => false, () => true)`,
		`new Promise((done) => { const i = new Image(); i.onload = () => done(false); i.onerror = () => done(true); i.src = "data:image/gif;base64,R0lGODlhAQABAAAAACw=" })`,
		`(() => { const e = document.createElement("p"); e.setAttribute("style", "color: rgb(1, 2, 3)"); document.body.append(e); return getComputedStyle(e).color !== "rgb(1, 2, 3)" })()`,
		`(() => { const e = document.createElement("style"); e.textContent = "body { color: rgb(1, 2, 3) }"; document.head.append(e); return getComputedStyle(document.body).color !== "rgb(1, 2, 3)" })()`,
	} {
		if !eval[bool](b, try) {
			t.Errorf("%s is allowed", try)
		}
	}
	b.tells()
}
