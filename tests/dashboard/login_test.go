package dashboard_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Who says a wrong password is told so by a page, and nothing of the dashboard is sent.
func TestWrongPassword(t *testing.T) {
	_, admin := start(t)
	b := open(t, 900, 500)
	b.answerLogins("admin", "wrong")
	b.do(chromedp.Navigate("http://" + admin + "/"))
	if text := b.text("body"); !strings.Contains(text, "This needs a name and a password") {
		t.Errorf("the page says %q", text)
	}
	if b.asked < 2 {
		t.Errorf("asked %d times for a password", b.asked)
	}
	if n := eval[int](b, `document.scripts.length`); n != 0 {
		t.Errorf("%d scripts", n)
	}
	if font := eval[string](b, `getComputedStyle(document.body).fontVariantNumeric`); font != "tabular-nums" {
		t.Error("the page has no style")
	}
	b.picture("refused")
}

// The right password opens the dashboard.
func TestRightPassword(t *testing.T) {
	_, admin := start(t)
	b := open(t, 900, 500)
	b.answerLogins("admin", password)
	b.do(chromedp.Navigate("http://" + admin + "/"))
	b.live()
	if b.asked != 1 {
		t.Errorf("asked %d times for a password", b.asked)
	}
}
