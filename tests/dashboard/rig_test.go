// Package dashboard_test opens the dashboard in Chromium and looks at what it shows.
//
// With PICTURES=DIR a picture of each state is written there, to be looked at.
package dashboard_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const password = "a-password-of-many-letters"

// patience is how long tests wait for what comes at once if all is well.
const patience = harness.Patience

// start runs a server with its admin server, which says where it is: host:port.
func start(t testing.TB, params ...string) (s *harness.Server, admin string) {
	t.Helper()
	port := harness.FreePort(t)
	s = harness.Start(t, append([]string{"admin-port " + port, "admin-password " + password}, params...)...)
	return s, "127.0.0.1:" + port
}

// browser is a tab of a Chromium of its own, and what went wrong in it.
type browser struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex // protects the fields below
	troubles []string   // errors of the console, of scripts, and of the policy
	hosts    map[string]bool
	bytes    int64 // of bodies
	asked    int   // how often it was asked for a password
}

// open starts Chromium.
func open(t testing.TB, width, height int64) *browser {
	t.Helper()
	path := harness.Tool(t, "chromium", "apt-get install chromium")
	b := &browser{t: t, hosts: map[string]bool{}}
	ctx, stop := chromedp.NewContext(context.Background(), chromedp.WithListener(b.hear), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(path), chromedp.NoSandbox, // which root has to say
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(int(width), int(height))))
	b.ctx = ctx
	t.Cleanup(func() {
		stop()
		_ = chromedp.Cancel(ctx) // waits until the process has gone
	})
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first run
		t.Fatal(err)
	}
	b.do(send(network.Enable, network.EnableParams{}), send(log.Enable, cdp.Empty{}), send(runtime.Enable, cdp.Empty{}))
	b.resize(width, height)
	return b
}

// send is an action of one command of the protocol.
func send[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

func (b *browser) resize(width, height int64) {
	b.t.Helper()
	var options []chromedp.EmulateViewportOption
	if width < 500 {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	b.do(chromedp.EmulateViewport(width, height, options...))
}

// hear notes what must not be, and which hosts are asked.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.troubles = append(b.troubles, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, "exception: "+e.ExceptionDetails.Text+" "+describe(e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.troubles = append(b.troubles, "console: "+describe(e.Args[0]))
		}
	case *network.EventRequestWillBeSent:
		if host, ok := strings.CutPrefix(e.Request.URL, "http://"); ok {
			host, _, _ = strings.Cut(host, "/")
			b.hosts[host[strings.LastIndex(host, "@")+1:]] = true
		} else {
			b.hosts[e.Request.URL] = true
		}
	case *network.EventDataReceived:
		b.bytes += e.DataLength
	}
}

// do runs actions, which must work.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.fail("%v", err)
	}
}

// fail ends the test, with a picture if pictures are wanted.
func (b *browser) fail(format string, args ...any) {
	b.t.Helper()
	b.picture("failed")
	b.t.Fatalf(format+"\n%s", append(args, strings.Join(b.took(), "\n"))...)
}

// visit opens a view of the dashboard, as admin.
func (b *browser) visit(admin, view string) {
	b.t.Helper()
	b.do(chromedp.Navigate("http://admin:" + password + "@" + admin + "/" + view))
}

// answerLogins has the browser say this name and password when it is asked, once, and then give up,
// as a person does who cannot remember.
func (b *browser) answerLogins(name, password string) {
	b.t.Helper()
	var work sync.WaitGroup
	events := make(chan any, 1000)
	work.Go(func() {
		for event := range events {
			var err error
			switch e := event.(type) {
			case *fetch.EventRequestPaused:
				_, err = chromedp.Call(b.ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: e.RequestID})
			case *fetch.EventAuthRequired:
				_, err = chromedp.Call(b.ctx, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{RequestID: e.RequestID, AuthChallengeResponse: b.login(name, password)})
			}
			if err != nil && b.ctx.Err() == nil {
				b.t.Log(err)
			}
		}
	})
	ctx, cancel := context.WithCancel(b.ctx)
	if err := chromedp.Listen(ctx, func(event any) {
		switch event.(type) {
		case *fetch.EventRequestPaused, *fetch.EventAuthRequired:
			events <- event
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	yes := true
	b.do(send(fetch.Enable, fetch.EnableParams{HandleAuthRequests: &yes}))
	b.t.Cleanup(func() {
		cancel()
		_ = chromedp.Do(b.ctx, send(fetch.Disable, cdp.Empty{})) // the browser may have gone
		close(events)
		work.Wait()
	})
}

func (b *browser) login(name, password string) *fetch.AuthChallengeResponse {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked++; b.asked > 1 {
		return &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseCancelAuth}
	}
	return &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseProvideCredentials, Username: name, Password: password}
}

// took is what went wrong since it was asked last.
func (b *browser) took() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.troubles
	b.troubles = nil
	return all
}

// tells waits until the browser has told of something that went wrong, as it should have.
func (b *browser) tells() {
	b.t.Helper()
	harness.Eventually(b.t, patience, "the browser tells of what went wrong", func() bool { return len(b.took()) > 0 })
}

// clean fails the test if something went wrong in the page, or it asked somebody else than the server.
func (b *browser) clean(admin string) {
	b.t.Helper()
	for _, s := range b.took() {
		b.t.Errorf("in the page: %s", s)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for host := range b.hosts {
		if host != admin {
			b.t.Errorf("the page asks %s", host)
		}
	}
}

// eval is what an expression of JavaScript comes to.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.fail("%s: %v", expression, err)
	}
	return value
}

// wait polls until an expression, or what it promises, is true.
func (b *browser) wait(what, expression string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for !eval[bool](b, "Promise.resolve("+expression+").then(Boolean)") {
		if time.Now().After(deadline) {
			b.fail("%s: not within %v\n%s", what, patience, b.text("body"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// press clicks an element.
func (b *browser) press(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// text is what an element shows.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// live waits until samples come.
func (b *browser) live() {
	b.t.Helper()
	b.wait("a sample", `document.querySelector("#link").dataset.kind === "open"`)
}

// picture writes a picture of what is to be seen, if pictures are wanted.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	r, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		b.t.Log(err)
		return
	}
	file := filepath.Join(dir, strings.ReplaceAll(b.t.Name(), "/", "-")+"-"+name+".png")
	if err := os.WriteFile(file, r.Data, 0o644); err != nil {
		b.t.Log(err)
	}
}

// describe says what an object of the page is.
func describe(o *runtime.RemoteObject) string {
	if o == nil {
		return ""
	}
	return string(o.Value) + o.Description
}
