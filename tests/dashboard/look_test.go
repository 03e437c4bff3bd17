package dashboard_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/larderkv/larder/tests/harness"
)

// each opens every view, and calls f with its name.
func (b *browser) each(f func(view string)) {
	b.t.Helper()
	for view, heading := range views {
		eval[any](b, `void (location.hash = "`+view+`")`)
		b.wait("the view "+view, `document.querySelector("h1")?.textContent === `+quoted(heading)+` && document.querySelector("main").innerText.length > 60`)
		f(view)
	}
}

// On a phone nothing is wider than the screen, and what is to be touched is large enough.
func TestPhone(t *testing.T) {
	s, admin := start(t, "maxmemory 64mb", "admin-write yes")
	fill(t, s)
	const width, height = 360, 740
	b := open(t, width, height)
	b.visit(admin, "")
	b.live()
	fits := func(what string) {
		if got := eval[int](b, `document.documentElement.scrollWidth`); got > width {
			t.Errorf("%s is %d pixels wide: %s", what, got, eval[string](b, `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > 361 && !e.closest(".scroll, .tabs")).map((e) => e.outerHTML.slice(0, 120)).join("\n")`))
		}
		if got := eval[string](b, `[...document.querySelectorAll("main button, main select, main input:not([type=checkbox])")].filter((e) => e.offsetHeight > 0 && e.offsetHeight < 32 && !e.closest("th")).map((e) => e.outerHTML.slice(0, 120)).join("\n")`); got != "" {
			t.Errorf("%s: too small to be touched: %s", what, got)
		}
	}
	b.each(func(view string) {
		fits(view)
		b.picture(view)
	})
	look(b, "profile:1", "hash")
	fits("a key")
	b.picture("key")
	b.press(`.key .danger`)
	b.wait("a question", `document.querySelector("dialog[open]")`)
	fits("a question")
	b.picture("question")
	b.clean(admin)
}

// axe finds nothing serious; in the dark only colours are different.
func TestAccessible(t *testing.T) {
	axe, err := os.ReadFile(harness.NodeModule(t, "axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	s, admin := start(t, "maxmemory 64mb", "admin-write yes")
	fill(t, s)
	b := open(t, 1280, 900)
	for scheme, rules := range map[string]string{"light": `resultTypes: ["violations"]`, "dark": `runOnly: ["color-contrast"]`} {
		b.do(send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
		b.visit(admin, "")
		b.live()
		eval[any](b, string(axe)+"; undefined")
		check := func(what string) {
			t.Helper()
			b.picture(scheme + "-" + what)
			for _, v := range eval[[]string](b, `axe.run(document, { `+rules+` }).then((r) => r.violations.filter((v) => v.impact === "serious" || v.impact === "critical" || v.id === "region")
				.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + " " + n.failureSummary).join(" | ")))`) {
				t.Errorf("%s in the %s: %s", what, scheme, v)
			}
		}
		b.each(check)
		look(b, "doc:1", "string")
		check("key")
		b.press(`.key .danger`)
		b.wait("a question", `document.querySelector("dialog[open]")`)
		check("question")
		b.press(`dialog button`)
		b.took() // axe asks for things that the policy refuses
	}
}

// The theme is the system's, or the one that was chosen, also after a reload.
func TestTheme(t *testing.T) {
	_, admin := start(t)
	b := open(t, 1000, 700)
	const dark = `getComputedStyle(document.body).backgroundColor.match(/\d+/g).every((n) => n < 60)`
	scheme := func(name string) {
		b.do(send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}}))
	}
	scheme("dark")
	b.visit(admin, "")
	b.live()
	for i, x := range []struct {
		label, system string
		dark          bool
	}{{"system", "dark", true}, {"system", "light", false}, {"light", "dark", false}, {"dark", "light", true}, {"system", "light", false}} {
		scheme(x.system)
		if i >= 2 {
			b.press("#theme")
		}
		b.wait("the button", `document.querySelector("#theme").innerText === "Theme: `+x.label+`"`)
		b.wait(fmt.Sprintf("%s, in a system that is %s: dark %v", x.label, x.system, x.dark), fmt.Sprintf("(%s) === %v", dark, x.dark))
		if x.label == "dark" {
			b.visit(admin, "")
			b.live()
			b.wait("the theme outlasts a reload", dark)
		}
	}
	b.clean(admin)
}
