package admin_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// BenchmarkScrape: a server with ten million keys (-short: one) of a thousand prefixes, and a client
// that reads keys one by one while it is scraped. Reported are what a scrape takes, and how long the
// client had to wait at most, and in one of a thousand times, with scrapes and without.
func BenchmarkScrape(b *testing.B) {
	keys := 10_000_000
	if testing.Short() {
		keys /= 10
	}
	const prefixes = 1000
	r := startBy(harness.StartBinary, b, "enable-debug-command yes")
	for i := range prefixes {
		prefix := fmt.Sprintf("prefix%d", i)
		r.conn.MustOK("DEBUG", "POPULATE", fmt.Sprint(keys/prefixes), prefix, "16")
		for j := range 10 {
			r.conn.Do("GET", fmt.Sprintf("%s:%d", prefix, 2*j*keys/prefixes/10)) // half of them miss
		}
	}
	client := r.Dial(b)
	waits := func(stop <-chan struct{}) (list []time.Duration) {
		for i := 0; ; i++ {
			select {
			case <-stop:
				slices.Sort(list)
				return list
			default:
			}
			began := time.Now()
			client.Do("GET", fmt.Sprintf("prefix%d:%d", i%prefixes, i%(keys/prefixes)))
			list = append(list, time.Since(began))
		}
	}
	during := func(what func()) []time.Duration {
		stop, done := make(chan struct{}), make(chan []time.Duration)
		go func() { done <- waits(stop) }()
		what()
		close(stop)
		return <-done
	}
	r.scrape()
	alone := during(func() { time.Sleep(2 * time.Second) })
	var took []time.Duration
	size := 0
	scraped := during(func() {
		for b.Loop() {
			began := time.Now()
			size = r.measure()
			took = append(took, time.Since(began))
			time.Sleep(20 * time.Millisecond) // no scraper asks without a pause
		}
	})
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(took[len(took)/2]), "ms/scrape")
	b.ReportMetric(ms(took[len(took)-1]), "worst-ms/scrape")
	b.ReportMetric(float64(size)/1024, "KB/scrape")
	for name, list := range map[string][]time.Duration{"scraped": scraped, "alone": alone} {
		b.ReportMetric(ms(list[len(list)-1]), "worst-ms/GET-"+name)
		b.ReportMetric(ms(list[len(list)*999/1000]), "p999-ms/GET-"+name)
	}
}

// measure scrapes without a look at what comes, and returns how much it is.
func (r *rig) measure() int {
	req, err := http.NewRequest("GET", "http://"+r.admin+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	return int(n)
}
